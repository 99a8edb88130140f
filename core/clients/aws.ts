import { UndiciHttpHandler } from '@smithy/undici-http-handler';

const CONNECT_MS = 3_000;
const ANSWER_MS = 30_000;
const MAX_CONNECTIONS = 100;

/**
 * What clients of AWS services are made of: three tries, each with 3 s to connect and 30 s until an answer begins and between
 * its parts. Requests go through undici, and the middleware of a command is put together once instead of for each request,
 * since there are two or three requests for every ten events.
 */
export const awsClient = () => ({
  maxAttempts: 3,
  cacheMiddleware: true,
  requestHandler: new UndiciHttpHandler({
    dispatcher: {
      connections: MAX_CONNECTIONS,
      connect: { timeout: CONNECT_MS },
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
    },
  }),
});
