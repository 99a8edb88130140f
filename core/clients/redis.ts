import { Redis } from 'ioredis';

/** Twice the longest that BullMQ blocks a connection for, whose answer is rightly that late. */
const ANSWER_TIMEOUT_MS = 20_000;

/** What a server answers that is no primary any more: connections to it may live on for as long as it does. */
const DEMOTED = /^READONLY /;

/**
 * The only place where Redis connections are made. BullMQ wants `maxRetriesPerRequest: null`: a command waits for the
 * connection to come back; whoever cannot wait uses a deadline.
 * @param answerTimeoutMs after so long without an answer that is due the connection is given up for a new one, on which the
 *   commands are sent again: a server or a path that went silent never resets it
 */
export function connectRedis(url: string, connectionName: string, answerTimeoutMs: number = ANSWER_TIMEOUT_MS): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    connectionName,
    socketTimeout: answerTimeoutMs,
    // 2: on a new connection, for which the endpoint names the primary, and with the command sent again.
    reconnectOnError: ({ message }) => (DEMOTED.test(message) ? 2 : false),
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
  });
  // Reconnecting is ioredis's own business; without a listener each attempt prints to stderr.
  redis.on('error', () => undefined);
  return redis;
}
