import { SQSClient } from '@aws-sdk/client-sqs';
import { awsClient } from './aws.ts';

/** The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. */
export const connectSQS = (): SQSClient => new SQSClient(awsClient());
