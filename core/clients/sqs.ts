import { SQSClient } from '@aws-sdk/client-sqs';
import { awsClient } from './aws.ts';

/**
 * The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. Bodies are
 * not hashed with MD5 to be compared with what SQS says: TLS guards what comes and goes, and every body is read whole.
 */
export const connectSQS = (): SQSClient => new SQSClient({ ...awsClient(), md5: false });
