import { SNSClient } from '@aws-sdk/client-sns';
import { sendOnce } from './send-once.ts';

/** The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. */
export const connectSNS = (): SNSClient =>
  new SNSClient({
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: 30_000,
      httpAgent: { maxSockets: 100 },
      httpsAgent: { maxSockets: 100 },
    },
  });

/** For SMS. `endpoint` is for local runs, where topics and phones are behind different servers. */
export const connectSmsSNS = (endpoint?: string): SNSClient =>
  new SNSClient({ ...(endpoint === undefined ? {} : { endpoint }), ...sendOnce });
