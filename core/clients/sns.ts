import { SNSClient } from '@aws-sdk/client-sns';

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

/**
 * For SMS: never tries again by itself, since SNS takes no idempotency key for it, and on a connection of its own, as for
 * email. `endpoint` is for local runs, where topics and phones are behind different servers.
 */
export const connectSmsSNS = (endpoint?: string): SNSClient =>
  new SNSClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      httpAgent: { keepAlive: false, maxSockets: 50 },
      httpsAgent: { keepAlive: false, maxSockets: 50 },
    },
  });
