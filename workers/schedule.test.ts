import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { purgePeriods, runPage } from './run-scheduled.ts';
import { type Scheduler, createScheduler } from './schedule.ts';
import { oneEventSystem } from './testing/one-event-system.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { done } from '../core/events/handler.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import type { ScheduledJob } from '../core/schedules/definition.ts';
import { createSchedules } from '../core/schedules/schedules.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-11-24T12:00:00.000Z');
const merchants = ['shop-1', 'shop-2', 'shop-3', 'shop-4', 'shop-5'];

/** An event `n` for each merchant, in pages of two. */
const job = (overrides: Partial<ScheduledJob> = {}): ScheduledJob => ({
  name: 'test.hourly',
  description: 'A test job.',
  timing: { everyMs: HOUR },
  missed: 'skip',
  pageSize: 2,
  due: (_trx, { period, after, limit }) => {
    const page = merchants.filter((merchant) => merchant > after).slice(0, limit);
    const last = page.at(-1);
    return Promise.resolve({
      events: page.map((merchantId) => ({
        eventType: 'TestEvent',
        merchantId,
        payload: { n: period.startMs / 1_000, key: new Date(period.startMs).toISOString() },
      })),
      next: last === merchants.at(-1) ? undefined : last,
    });
  },
  ...overrides,
});

const emitted = z.object({ payload: z.object({ key: z.string() }) });

async function setUp() {
  const world = await createWorld();
  const { db } = world.postgres;
  const { registry } = oneEventSystem(world, { handle: () => Promise.resolve(done) });
  return {
    world,
    db,
    registry,
    /** Pages until there is none. */
    async work(scheduled: ScheduledJob, nowMs: number): Promise<number> {
      for (let pages = 0; pages < 1_000; pages++)
        if ((await runPage(db, registry, scheduled, nowMs)).kind !== 'page') return pages;
      throw new Error('does not end');
    },
    /** Periods as `merchant hour`, in the order in which they were emitted. */
    async events(): Promise<string[]> {
      const rows = await db.selectFrom('outbox').selectAll().orderBy('created_at').orderBy('merchant_id').execute();
      return rows.map(({ merchant_id, body }) => {
        const { payload } = emitted.parse(JSON.parse(body.toString()));
        return `${merchant_id} ${payload.key}`;
      });
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

test('a period gives one event for each merchant, however many workers are at it and however often', async () => {
  await using at = await setUp();
  const [once, ...others] = await Promise.all([1, 2, 3, 4].map(() => at.work(job(), NOON)));
  assert.ok([once, ...others].some((pages) => (pages ?? 0) > 0));
  await at.work(job(), NOON + HOUR - 1);
  assert.equal(
    await at.events(),
    merchants.map((merchant) => `${merchant} 2026-11-24T12:00:00.000Z`),
  );
  const periods = await at.db.selectFrom('schedule_periods').selectAll().execute();
  assert.equal(
    periods.map(({ state, events, pages }) => [state, events, pages]),
    [['done', 5, 3]],
  );
  await at.work(job(), NOON + HOUR);
  assert.is((await at.events()).length, 10);
});

test('a page that fails is as if it had not been, and the period goes on where it stood', async () => {
  await using at = await setUp();
  const scheduled = job();
  let fails = true;
  const failing = job({
    due: async (trx, turn) => {
      await trx
        .insertInto('mailbox')
        .values({
          merchant_id: `seen ${turn.period.startMs} ${turn.after}`,
          last_day: '2026-11-24',
          touched_at: new Date(),
        })
        .execute();
      if (turn.after === 'shop-2' && fails) throw new Error('away');
      return await scheduled.due(trx, turn);
    },
  });
  await at.work(failing, NOON).catch(() => undefined);
  assert.is((await at.events()).length, 2);
  fails = false;
  // Two hours later: the period that was begun is finished before the current one begins.
  await at.work(failing, NOON + 2 * HOUR);
  const hours = (await at.events()).map((event) => event.slice(0, 20));
  assert.equal(hours.filter((event) => event.startsWith('shop-3')).length, 2);
  const seen = await at.db
    .selectFrom('mailbox')
    .select('merchant_id')
    .where('merchant_id', 'like', 'seen % shop-2')
    .execute();
  assert.is(seen.length, 2);
  const periods = await at.db.selectFrom('schedule_periods').selectAll().orderBy('period').execute();
  assert.equal(
    periods.map(({ period, state, events }) => [period.toISOString(), state, events]),
    [
      ['2026-11-24T12:00:00.000Z', 'done', 5],
      ['2026-11-24T14:00:00.000Z', 'done', 5],
    ],
  );
});

test('after an outage a job works what it declares: only the current period, or the latest few', async () => {
  await using at = await setUp();
  const skips = job({ name: 'test.skips' });
  const catchesUp = job({ name: 'test.catches_up', missed: { catchUp: 3 } });
  for (const scheduled of [skips, catchesUp]) {
    await at.work(scheduled, NOON);
    await at.work(scheduled, NOON + 8 * HOUR);
  }
  const periods = await at.db.selectFrom('schedule_periods').selectAll().orderBy('job').orderBy('period').execute();
  assert.equal(
    periods.map((row) => `${row.job} ${row.period.toISOString().slice(11, 16)}${row.left_out ? ' left out' : ''}`),
    [
      'test.catches_up 12:00',
      'test.catches_up 18:00 left out',
      'test.catches_up 19:00',
      'test.catches_up 20:00',
      'test.skips 12:00',
      'test.skips 20:00 left out',
    ],
  );
});

test('a worker whose clock is behind finds the period taken, and emits nothing', async () => {
  await using at = await setUp();
  await at.work(job(), NOON + HOUR);
  assert.is(await at.work(job(), NOON), 0);
  assert.is((await at.events()).length, 5);
});

test('a job whose pages would not come to an end is stopped before it emits', async () => {
  await using at = await setUp();
  const endless = job({ due: () => Promise.resolve({ events: [], next: 'a' }) });
  const refused = await at.work(endless, NOON).catch((error: unknown) => error);
  assert.match(String(refused), /would go from a to a/);
});

test('old periods are forgotten, but never the latest of a job', async () => {
  await using at = await setUp();
  await at.work(job(), NOON);
  await at.work(job(), NOON + HOUR);
  assert.is(await purgePeriods(at.db, NOON + 500 * 24 * HOUR), 1);
  assert.is(await purgePeriods(at.db, NOON + 500 * 24 * HOUR), 0);
});

test('two workers give one event a period, also when Redis loses everything and when it wakes nobody', async () => {
  await using at = await setUp();
  const every = job({ name: 'test.every_second', timing: { everyMs: 1_000 }, missed: { catchUp: 10 }, pageSize: 5 });
  const redis = connectRedis(at.world.redisUrl, 'test');
  const start = (refreshMs: number): Scheduler => {
    const scheduler = createScheduler({
      db: at.db,
      redis,
      prefix: at.world.stack,
      schedules: createSchedules([every]),
      registry: at.registry,
      clock: systemClock,
      log: silentLog,
      emitted: () => undefined,
      refreshMs,
    });
    scheduler.start();
    return scheduler;
  };
  const periods = async () => (await at.db.selectFrom('schedule_periods').select('period').execute()).length;
  // Refreshes are far apart: what happens between them, BullMQ has woken.
  const first = start(60_000);
  const second = start(60_000);
  await waitFor('three periods by wake-ups', async () => (await periods()) >= 3);
  for (const key of await redis.keys(`${at.world.stack}:*`)) await redis.unlink(key);
  const lostAt = await periods();
  await Promise.all([first.refresh(), second.refresh()]);
  await waitFor('wake-ups again', async () => (await periods()) >= lostAt + 3);
  await Promise.all([first.stop(), second.stop()]);
  redis.disconnect();
  const events = await at.events();
  assert.is(new Set(events).size, events.length);
  assert.is(events.length, 5 * (await periods()));
});

test.run();
