import { Hono } from 'hono';
import type { Redis } from 'ioredis';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import type { LifecycleState } from '../core/runtime/lifecycle.ts';
import { remember } from './remember.ts';

export interface HealthSources {
  db: Kysely<Database>;
  redis: Redis;
  clock: Clock;
  state: () => LifecycleState;
}

const DEADLINE_MS = 2_000;
/** Asked without a login, so it must not be a way to load the stores. */
const MAX_AGE_MS = 1_000;

/**
 * Redis and SQS may be away: the console is then needed most, and says on its pages what is missing. Without Postgres it
 * has nothing to show.
 */
export function healthRoutes({ db, redis, clock, state }: HealthSources): Hono {
  const answers = async (what: string, ask: () => Promise<unknown>): Promise<'ok' | 'unavailable'> => {
    try {
      await withDeadline(what, DEADLINE_MS, ask);
      return 'ok';
    } catch {
      return 'unavailable';
    }
  };
  const probe = remember(clock, MAX_AGE_MS, async () => {
    const [postgres, cache] = await Promise.all([
      answers('asking Postgres', () => sql`select 1`.execute(db)),
      redis.status === 'ready' ? answers('asking Redis', () => redis.ping()) : 'unavailable',
    ]);
    return { postgres, redis: cache };
  });
  return new Hono()
    .get('/healthz', (context) => context.json({ status: 'ok', state: state() }))
    .get('/readyz', async (context) => {
      const dependencies = await probe();
      const ready = state() === 'ready' && dependencies.postgres === 'ok';
      return context.json({ status: ready ? 'ready' : 'not ready', state: state(), dependencies }, ready ? 200 : 503);
    });
}
