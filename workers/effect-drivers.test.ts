import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseDriver } from './choose-driver.ts';
import { createSweeper } from './sweep.ts';
import { type EffectWorld, destination, intentOf, movableClock, setUpEffects } from './testing/world-of-effects.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { silentLog } from '../core/runtime/log.ts';
import { captureLog } from '../core/testing/captured-log.ts';
import { waitFor } from '../core/testing/wait-for.ts';

/** A destination in memory: nothing is recorded anywhere but in `sent`. */
function driverInMemory(changes: Partial<DestinationDriver> = {}): DestinationDriver & { sent: string[] } {
  const sent: string[] = [];
  return {
    sent,
    limits: () => ({ quota: [{ calls: 1_000, perMs: 1_000 }], concurrency: 4 }),
    send: (call) => {
      sent.push(`${call.objectKey}@${call.version}`);
      return Promise.resolve({ externalId: 'x', actual: {} });
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => true,
    recordSuccess: () => Promise.resolve(),
    recordFailure: () => Promise.resolve(),
    ...changes,
  };
}

const letters = ({ world }: EffectWorld) =>
  world.postgres.db.selectFrom('outbox').selectAll().where('stream', '=', 'dead-letters').execute();

test('a call whose outcome nobody can find out is never made again, not even when it is redriven', async () => {
  await using s = await setUpEffects();
  let silent = 0;
  const driver = driverInMemory({
    send: () => {
      silent += 1;
      return Promise.reject(new LanewayError('effect.outcome_unknown', 'no answer', { retry: 'backoff' }));
    },
    probe: () => Promise.reject(new LanewayError('effect.outcome_unknown', 'it keeps no record')),
  });
  const actors = s.actors({ drivers: () => driver });
  await s.desire('active');
  const dead = await s.reaches('dead', actors);
  assert.equal([dead.attempt, dead.sent_version], [2, 1]);
  const [letter] = await letters(s);
  assert.is(letter?.attributes['errorCode'], 'effect.outcome_unknown');
  await s.world.postgres.db.updateTable('intents').set({ state: 'pending', attempt: 0 }).execute();
  await s.world.postgres.db.updateTable('effect_lanes').set({ due_at: new Date() }).execute();
  await s.reaches('dead', actors);
  assert.is(silent, 1);
  assert.is((await letters(s)).length, 2);
});

test('what a success declares is worked next; what is declared for later waits for its time', async () => {
  await using s = await setUpEffects();
  const { time, clock } = movableClock();
  const driver = driverInMemory({
    recordSuccess: (_trx, call, _result, _observed, context) => {
      if (call.objectKey === 'c1') {
        context.intend({ objectKey: 'c2', desired: {} });
        context.intend({ objectKey: 'c3', desired: {}, notBeforeMs: context.now + 3_600_000 });
      }
      return Promise.resolve();
    },
  });
  const actors = s.actors({ drivers: () => driver, clock, leaseMs: 60_000 });
  await s.desire('active');
  const states = async () => {
    await actors.wake([{ merchantId: s.merchantId, destination }]);
    const rows = await s.world.postgres.db.selectFrom('intents').select('state').orderBy('object_key').execute();
    return rows.map(({ state }) => state).join();
  };
  await waitFor('both', async () => (await states()) === 'done,done,pending');
  const lane = await waitFor('the lane to rest', async () => {
    const row = await s.world.postgres.db.selectFrom('effect_lanes').selectAll().executeTakeFirstOrThrow();
    return row.owner === null && (row.due_at?.getTime() ?? 0) > clock.now() + 3_000_000 ? row : undefined;
  });
  assert.is(lane.destination, destination);
  assert.equal(driver.sent, ['c1@1', 'c2@1']);
  time.aheadMs = 3_700_000;
  await waitFor('the later one', async () => (await states()) === 'done,done,done');
  assert.equal(driver.sent, ['c1@1', 'c2@1', 'c3@1']);
});

test('a driver that has its own patience is not given up a day after its destination went away', async () => {
  await using s = await setUpEffects();
  const { time, clock } = movableClock();
  const away = () => Promise.reject(new LanewayError('effect.unavailable', 'refused', { retry: 'backoff' }));
  const patience = { retry: { retries: 3, baseMs: 5_000, capMs: 21_600_000 }, awayMs: 3 * 86_400_000 };
  const actors = s.actors({ drivers: () => driverInMemory({ send: away, patience }), clock, leaseMs: 60_000 });
  await s.desire('active');
  const failedOnce = await waitFor('the first try', async () => {
    await actors.wake([{ merchantId: s.merchantId, destination }]);
    const row = await intentOf(s.world);
    return row?.last_error !== null && row?.state === 'pending' ? row : undefined;
  });
  const since = failedOnce.first_unavailable_at?.getTime() ?? 0;
  const after = async (days: number, state: string) => {
    time.aheadMs = since + days * 86_400_000 - Date.now();
    return await waitFor(`day ${days}`, async () => {
      await actors.wake([{ merchantId: s.merchantId, destination }]);
      const row = await intentOf(s.world);
      return row?.state === state && row.updated_at.getTime() >= since + (days - 0.1) * 86_400_000 ? row : undefined;
    });
  };
  assert.is((await after(2, 'pending')).attempt, 0);
  await after(4, 'dead');
});

test('lanes of a destination without a driver are left for a minute, said once, and hold no later retry back', async () => {
  await using s = await setUpEffects();
  const { redis, world } = s;
  const { db } = world.postgres;
  const { log, lines } = captureLog();
  const actors = s.actors({ drivers: chooseDriver({ 'ad-network': driverInMemory() }), log, concurrency: 20 });
  await s.desire('active');
  await sql`
    insert into effect_lanes (merchant_id, destination, due_at, updated_at)
    select 'shop-' || n, 'payments', now() - interval '1 hour', now() from generate_series(1, 1001) n
  `.execute(db);
  const sweeper = createSweeper({
    ...{ db, redis, prefix: world.stack, clock: systemClock, log: silentLog, everyMs: 50 },
    wakeMerchants: () => Promise.resolve(),
    rouseMerchants: () => Promise.resolve(),
    wakeEffects: (keys) => actors.wake(keys),
    housekeeping: () => Promise.resolve(),
  });
  const woken = [await sweeper.sweep(), await sweeper.sweep()];
  assert.equal(
    woken.map((each) => each?.effects),
    [1_000, 2],
  );
  await waitFor('the effect', async () => (await intentOf(world))?.state === 'done', { timeoutMs: 30_000 });
  const due = () => db.selectFrom('effect_lanes').select('merchant_id').where('due_at', '<=', new Date()).execute();
  await waitFor('no lane to be due', async () => (await due()).length === 0, { timeoutMs: 60_000 });
  const said = lines.filter(({ level }) => level === 'warn' || level === 'error');
  assert.ok(said.length >= 1 && said.length <= 3, `${said.length} lines`);
  assert.is(said[0]?.['message'], 'effects wait for a worker that knows their destination');
  assert.is(said[0]?.['destination'], 'payments');
});

test.run();
