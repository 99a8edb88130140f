import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Hono } from 'hono';
import type { Redis } from 'ioredis';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { connectRedis } from '../../core/clients/redis.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { registry } from '../../core/events/registry.ts';
import { type Clock, systemClock } from '../../core/runtime/clock.ts';
import { silentLog } from '../../core/runtime/log.ts';
import type { World } from '../../core/testing/world.ts';
import { type ConsoleDependencies, createConsole } from '../app.ts';

export const credentials = `Basic ${Buffer.from('ops:correct horse').toString('base64')}`;

export interface TestClock extends Clock {
  advance(ms: number): void;
}

/** Starts at the real time, since the partitions around it are the ones that exist; moves only when told. */
export function createTestClock(): TestClock {
  let now = systemClock.now();
  return { now: () => now, sleep: (ms, signal) => systemClock.sleep(ms, signal), advance: (ms) => void (now += ms) };
}

export interface TestConsole extends AsyncDisposable {
  app: Hono;
  clock: TestClock;
  redis: Redis;
  /** A request of somebody who is logged in. */
  get(path: string): Promise<Response>;
  put(path: string): Promise<Response>;
}

/** The console as it runs: reading as `laneway_reader`, over real stores. */
export function createTestConsole(
  world: World,
  overrides: Partial<ConsoleDependencies> & { sqs?: SQSClient } = {},
): TestConsole {
  const url = new URL(world.postgresUrl);
  url.searchParams.set('options', '-c role=laneway_reader');
  const postgres = connectPostgres({
    url: url.toString(),
    poolSize: 12,
    applicationName: 'console-test',
    statementTimeoutMs: 3_000,
    idleInTransactionTimeoutMs: 3_000,
  });
  const redis = connectRedis(world.redisUrl, 'console-test');
  const sqs = overrides.sqs ?? connectSQS();
  const clock = createTestClock();
  const app = createConsole({
    db: postgres.db,
    redis,
    sqs,
    registry,
    stack: world.stack,
    partitions: 1,
    boardWritable: false,
    login: { user: 'ops', password: 'correct horse' },
    clock,
    log: silentLog,
    state: () => 'ready',
    addressOf: () => '192.0.2.1',
    ...overrides,
  });
  const headers = { authorization: credentials };
  return {
    app,
    clock,
    redis,
    get: async (path) => await app.request(path, { headers }),
    put: async (path) => await app.request(path, { method: 'PUT', headers }),
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      sqs.destroy();
      await postgres.close();
    },
  };
}
