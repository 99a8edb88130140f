import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EffectWorld, destination, intentOf, movableClock, setUpEffects } from './testing/world-of-effects.ts';
import type { EffectActors } from './effects.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import type { DestinationLimits } from '../core/events/destination-limits.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { waitFor } from '../core/testing/wait-for.ts';

const DAY_MS = 86_400_000;

/** A destination that carries everything out, but for what `send` makes of it. */
const fakeDriver = (send?: DestinationDriver['send']): DestinationDriver => ({
  limits: () => ({ quota: [{ calls: 1_000, perMs: 1_000 }], concurrency: 4 }),
  send: send ?? ((call) => Promise.resolve({ externalId: call.objectKey, actual: {} })),
  probe: () => Promise.resolve(undefined),
  satisfies: () => true,
  recordSuccess: () => Promise.resolve(),
  recordFailure: () => Promise.resolve(),
});

const laneOf = ({ world }: EffectWorld) =>
  world.postgres.db.selectFrom('effect_lanes').selectAll().executeTakeFirstOrThrow();
const ledgerOf = ({ world }: EffectWorld) => world.postgres.db.selectFrom('quota_ledger').selectAll().execute();
const atRest = (actors: EffectActors) => waitFor('all at rest', () => actors.active === 0);

/** Every key of this world in Redis: its share of a FLUSHALL. */
const flush = async ({ redis, world }: EffectWorld) => {
  const keys = await redis.keys(`${world.stack}:*`);
  if (keys.length > 0) await redis.unlink(...keys);
};

test('out of quota an effect waits for its turn: no attempt, no slot, no owner; a flush of Redis refills nothing', async () => {
  await using s = await setUpEffects();
  const limits: DestinationLimits = { quota: [{ calls: 3, perMs: 600_000 }], concurrency: 4 };
  const sent: string[] = [];
  const driver = fakeDriver((call) => {
    sent.push(call.objectKey);
    return Promise.resolve({ externalId: call.objectKey, actual: {} });
  });
  const actors = s.actors({ drivers: () => driver, limits: { [destination]: limits } });
  for (const objectKey of ['a', 'b', 'c', 'd', 'e']) await s.declare({ merchantId: 'm', destination, objectKey });
  await actors.wake([{ merchantId: 'm', destination }]);
  await waitFor('the lane to be left', async () => (await laneOf(s)).turn_at !== null);
  await atRest(actors);
  assert.is(sent.length, 3);
  const lane = await laneOf(s);
  assert.is(lane.owner, null);
  assert.is(lane.due_at?.getTime(), lane.turn_at?.getTime());
  assert.ok((lane.due_at?.getTime() ?? 0) > systemClock.now() + 60_000);
  const waiting = await s.world.postgres.db.selectFrom('intents').selectAll().where('state', '<>', 'done').execute();
  assert.equal(
    waiting.map((row) => [row.state, row.attempt, row.first_unavailable_at]),
    [
      ['pending', 0, null],
      ['pending', 0, null],
    ],
  );
  // Another worker, and a Redis that lost everything.
  await actors.stop();
  await flush(s);
  const next = s.actors({ drivers: () => driver, limits: { [destination]: limits } });
  await next.wake([{ merchantId: 'm', destination }]);
  await waitFor('the lane to be looked at', async () => (await laneOf(s)).updated_at > lane.updated_at);
  await atRest(next);
  assert.is(sent.length, 3);
});

test('a merchant with many effects leaves the quota to others: they take turns', async () => {
  await using s = await setUpEffects();
  const sent: string[] = [];
  const driver = fakeDriver((call) => {
    sent.push(call.merchantId);
    return Promise.resolve({ externalId: call.objectKey, actual: {} });
  });
  const limits: DestinationLimits = { quota: [{ calls: 30, perMs: 1_000, burst: 4 }], concurrency: 4 };
  for (let i = 0; i < 40; i++) await s.declare({ merchantId: 'noisy', destination, objectKey: `o${i}` });
  for (const merchantId of ['a', 'b']) {
    for (let i = 0; i < 3; i++) await s.declare({ merchantId, destination, objectKey: `o${i}` });
  }
  const actors = s.actors({ drivers: () => driver, limits: { [destination]: limits } });
  await actors.wake([{ merchantId: 'noisy', destination }]);
  await waitFor('the burst to be used', () => sent.length >= 4);
  await waitFor('the quiet ones', async () => {
    const due = await s.world.postgres.db
      .selectFrom('effect_lanes')
      .select(['merchant_id as merchantId', 'destination'])
      .where('due_at', '<=', new Date())
      .orderBy('due_at')
      .execute();
    await actors.wake(due);
    return sent.filter((merchant) => merchant !== 'noisy').length === 6;
  });
  // At its best it had the burst and a turn for each of theirs; 40 were waiting.
  assert.ok(sent.filter((merchant) => merchant === 'noisy').length <= 20, sent.join(' '));
});

test('a destination that is called too often is left alone by every worker until the time it named, at no attempt', async () => {
  await using s = await setUpEffects();
  const { time, clock } = movableClock();
  const tooOften = { retry: 'backoff', detail: { retryAfterMs: 60_000 } } as const;
  const limiting = fakeDriver(() => Promise.reject(new LanewayError('effect.limited', 'too many', tooOften)));
  const actors = s.actors({ drivers: () => limiting, clock });
  await s.declare({ merchantId: 'm', destination, objectKey: 'o' });
  await actors.wake([{ merchantId: 'm', destination }]);
  await waitFor('the refusal', async () => (await intentOf(s.world))?.last_error);
  await atRest(actors);
  await actors.stop();
  const limited = await intentOf(s.world);
  assert.equal([limited?.state, limited?.attempt, limited?.last_error?.code], ['pending', 0, 'effect.limited']);
  const pausedUntil = (await ledgerOf(s))[0]?.paused_until?.getTime() ?? 0;
  assert.ok(pausedUntil > systemClock.now() + 30_000);

  const sent: string[] = [];
  const driver = fakeDriver((call) => {
    sent.push(call.merchantId);
    return Promise.resolve({ externalId: 'x', actual: {} });
  });
  const other = s.actors({ drivers: () => driver, clock });
  await s.declare({ merchantId: 'n', destination, objectKey: 'o' });
  await other.wake([{ merchantId: 'n', destination }]);
  const left = await waitFor('the lane to be left', async () =>
    (await s.world.postgres.db.selectFrom('effect_lanes').selectAll().execute()).find((lane) => lane.turn_at !== null),
  );
  assert.ok((left.due_at?.getTime() ?? 0) >= pausedUntil);
  assert.equal(sent, []);
  time.aheadMs = 120_000;
  await other.wake([{ merchantId: 'n', destination }]);
  await waitFor('the call', () => sent.length === 1);
});

test('a destination that is away costs no attempt; after a day what waits for it goes to the DLQ, tried or not', async () => {
  await using s = await setUpEffects();
  const { time, clock } = movableClock();
  let calls = 0;
  const driver = fakeDriver(() => {
    calls += 1;
    return Promise.reject(new LanewayError('effect.unavailable', 'nobody there', { retry: 'backoff' }));
  });
  const actors = s.actors({ drivers: () => driver, clock });
  for (let i = 0; i < 8; i++) await s.declare({ merchantId: 'm', destination, objectKey: `o${i}` });
  await actors.wake([{ merchantId: 'm', destination }]);
  const rows = () => s.world.postgres.db.selectFrom('intents').selectAll().orderBy('object_key').execute();
  await waitFor('the breaker to open', async () => (await rows()).every((row) => row.first_unavailable_at !== null));
  await atRest(actors);
  assert.is(calls, 5);
  assert.equal(
    (await rows()).map((row) => [row.state, row.attempt]),
    Array.from({ length: 8 }, () => ['pending', 0]),
  );
  time.aheadMs = DAY_MS - 60_000;
  await actors.wake([{ merchantId: 'm', destination }]);
  await waitFor('the trial', () => calls === 6);
  await atRest(actors);
  assert.ok((await rows()).every((row) => row.state === 'pending'));
  time.aheadMs = DAY_MS + 1_000;
  await actors.wake([{ merchantId: 'm', destination }]);
  await waitFor('all given up', async () => (await rows()).every((row) => row.state === 'dead'));
  const letters = await s.world.postgres.db.selectFrom('outbox').selectAll().execute();
  assert.equal(
    letters.map((letter) => [letter.stream, letter.attributes['errorCode']]),
    Array.from({ length: 8 }, () => ['dead-letters', 'effect.unavailable']),
  );
  // Redriven, it waits for another day before it is given up again.
  assert.ok((await rows()).every((row) => row.first_unavailable_at === null));
});

test('an answer starts the day anew', async () => {
  await using s = await setUpEffects();
  const { time, clock } = movableClock();
  let answer: LanewayError | undefined = new LanewayError('effect.unavailable', 'nobody there', { retry: 'backoff' });
  const driver = fakeDriver((call) =>
    answer === undefined ? Promise.resolve({ externalId: call.objectKey, actual: {} }) : Promise.reject(answer),
  );
  const actors = s.actors({ drivers: () => driver, clock });
  await s.declare({ merchantId: 'm', destination, objectKey: 'o' });
  await actors.wake([{ merchantId: 'm', destination }]);
  await waitFor('a failure', async () => (await intentOf(s.world))?.first_unavailable_at);
  await atRest(actors);
  answer = undefined;
  time.aheadMs = DAY_MS / 2;
  await actors.wake([{ merchantId: 'm', destination }]);
  await waitFor('the answer', async () => (await intentOf(s.world))?.state === 'done');
  assert.is((await intentOf(s.world))?.first_unavailable_at, null);
});

test('a destination that hangs leaves slots to the others, and its lanes wait without one', async () => {
  await using s = await setUpEffects();
  const hanging = new Set<string>();
  const google = 'ad-network:google_ads';
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const driver = fakeDriver(async (call) => {
    if (call.destination !== google) {
      hanging.add(call.merchantId);
      await over;
    }
    return { externalId: 'x', actual: {} };
  });
  const limits = { ...driver.limits(''), concurrency: 2 };
  const lanes = Array.from({ length: 12 }, (_, i) => ({ merchantId: `m${i}`, destination }));
  for (const lane of lanes) await s.declare({ ...lane, objectKey: 'o' });
  // Longer than the test takes: whoever waits for a slot of the hanging destination waits for good.
  await s.world.postgres.db.updateTable('intents').set({ deadline_ms: 40_000 }).execute();
  await s.declare({ merchantId: 'm99', destination: google, objectKey: 'o' });
  const actors = s.actors({
    drivers: () => driver,
    leaseMs: 60_000,
    concurrency: 3,
    limits: { [destination]: limits, [google]: limits },
  });
  await actors.wake([...lanes, { merchantId: 'm99', destination: google }]);
  await waitFor('the other destination', async () => {
    const rows = await s.world.postgres.db
      .selectFrom('intents')
      .select('state')
      .where('destination', '=', google)
      .execute();
    return rows[0]?.state === 'done';
  });
  await waitFor('two lanes to hang', () => hanging.size === 2);
  await waitFor('the others to give their slots back', () => actors.active === 2);
  assert.is(hanging.size, 2);
  const deferred = await s.world.postgres.db
    .selectFrom('effect_lanes')
    .select('merchant_id')
    .where('destination', '=', destination)
    .where('due_at', '>', new Date(systemClock.now() + 30_000))
    .execute();
  assert.is(deferred.length, 12);
  end();
});

test.run();
