import { Redis } from 'ioredis';

/**
 * The only place where Redis connections are made. BullMQ wants `maxRetriesPerRequest: null`: a command waits for the
 * connection to come back; whoever cannot wait uses a deadline.
 */
export function connectRedis(url: string, connectionName: string): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    connectionName,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
  });
  // Reconnecting is ioredis's own business; without a listener each attempt prints to stderr.
  redis.on('error', () => undefined);
  return redis;
}
