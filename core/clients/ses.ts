import { SESv2Client } from '@aws-sdk/client-sesv2';

/**
 * The only place where this client is made. Region, credentials and, unless given, the endpoint come from the SDK's own
 * environment. It never tries again by itself: SES takes no idempotency key, and whether another try may be made is decided
 * by who calls. Each call has a connection of its own: one that was kept may be closed by the server in the moment in which
 * it is used again, and then nobody knows whether the message was sent.
 */
export const connectSES = (endpoint?: string): SESv2Client =>
  new SESv2Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      httpAgent: { keepAlive: false, maxSockets: 50 },
      httpsAgent: { keepAlive: false, maxSockets: 50 },
    },
  });
