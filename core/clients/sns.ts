import { SNSClient } from '@aws-sdk/client-sns';
import { awsClient } from './aws.ts';
import { sendOnce } from './send-once.ts';

/** The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. */
export const connectSNS = (): SNSClient => new SNSClient(awsClient());

/** For SMS. `endpoint` is for local runs, where topics and phones are behind different servers. */
export const connectSmsSNS = (endpoint?: string): SNSClient =>
  new SNSClient({ ...(endpoint === undefined ? {} : { endpoint }), ...sendOnce });
