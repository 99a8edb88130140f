import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { done } from '../core/events/handler.ts';
import { createWorld } from '../core/testing/world.ts';
import { type LaneLimits, allowanceOf, isDrained, isTurnOver, isWorkedAlone } from './lane-limits.ts';
import { each, numbered, oneEventSystem } from './testing/one-event-system.ts';

const free: LaneLimits = { weight: 1, ratePerSecond: null, rateTokens: 0, rateAt: null, drainTo: null };

test('whatever windows are taken, a rate lets no more pass than its seconds allow, and never names a time in vain', () => {
  const visits = fc.array(fc.record({ afterMs: fc.nat({ max: 2_000 }), wanted: fc.integer({ min: 1, max: 50 }) }));
  fc.assert(
    fc.property(fc.double({ min: 0.1, max: 500, noNaN: true }), visits, (ratePerSecond, steps) => {
      const lane = { ...free, ratePerSecond, rateTokens: Math.max(1, ratePerSecond), rateAt: new Date(0), cursor: 0 };
      let now = 0;
      for (const { afterMs, wanted } of steps) {
        now += afterMs;
        const allowed = allowanceOf(lane, now);
        if (allowed.kind === 'exhausted') {
          assert.ok(allowed.until > now, 'a time that has passed would be a spin');
          assert.is(allowanceOf(lane, allowed.until).kind, 'events');
          continue;
        }
        const events = Math.min(wanted, allowed.events);
        lane.cursor += events;
        // As the transaction writes it: what the bucket holds now, less what passed.
        lane.rateTokens = Math.min(
          Math.max(1, ratePerSecond),
          lane.rateTokens + ((now - lane.rateAt.getTime()) / 1_000) * ratePerSecond,
        );
        lane.rateTokens = Math.max(0, lane.rateTokens - events);
        lane.rateAt = new Date(now);
        assert.ok(lane.cursor <= Math.max(1, ratePerSecond) + (now / 1_000) * ratePerSecond + 0.01);
      }
    }),
  );
});

test('a drain allows what lies up to its end and nothing after, and ends when only parked work is left', () => {
  assert.equal(allowanceOf({ ...free, cursor: 7, drainTo: 10 }, 0), { kind: 'events', events: 3 });
  assert.equal(allowanceOf({ ...free, cursor: 10, drainTo: 10 }, 0), { kind: 'events', events: 0 });
  assert.is(isDrained({ drainTo: 10, cursor: 9 }, []), false);
  assert.is(isDrained({ drainTo: 10, cursor: 10 }, [{ state: 'waiting' }]), false);
  assert.is(isDrained({ drainTo: 10, cursor: 10 }, [{ state: 'redrive' }]), false);
  assert.is(isDrained({ drainTo: 10, cursor: 10 }, [{ state: 'parked' }, { state: 'behind' }]), true);
  assert.is(isDrained({ drainTo: null, cursor: 10 }, []), false);
});

test('weight multiplies both bounds of a turn', () => {
  const quantum = { quantumWindows: 4, quantumMs: 2_000 };
  assert.is(isTurnOver({ windows: 4, elapsedMs: 0 }, quantum, 1), true);
  assert.is(isTurnOver({ windows: 4, elapsedMs: 1_999 }, quantum, 2), false);
  assert.is(isTurnOver({ windows: 8, elapsedMs: 0 }, quantum, 2), true);
  assert.is(isTurnOver({ windows: 0, elapsedMs: 4_000 }, quantum, 2), true);
});

test('a lane with open deliveries, something due, a rate or a drain shares no transaction', () => {
  const plain = { ...free, openDeliveries: 0, dueAt: null };
  assert.is(isWorkedAlone(plain), false);
  assert.is(isWorkedAlone({ ...plain, openDeliveries: 1 }), true);
  assert.is(isWorkedAlone({ ...plain, dueAt: new Date(0) }), true);
  assert.is(isWorkedAlone({ ...plain, ratePerSecond: 5 }), true);
  assert.is(isWorkedAlone({ ...plain, drainTo: 5 }), true);
});

test('a merchant with a rate is worked at that rate, in order, and waits for tokens without a slot', async () => {
  await using world = await createWorld();
  const { visit, seed, applied, clock, lane } = oneEventSystem(
    world,
    each(() => done),
  );
  await seed('m1', numbered(1, 25));
  await world.postgres.db
    .insertInto('lanes')
    .values({ merchant_id: 'm1', owner: null, worker: null, state_reason: null, due_at: null, rate_per_second: 10 })
    .execute();
  await world.postgres.db
    .updateTable('lanes')
    .set({ rate_tokens: 4, rate_at: new Date(clock.time) })
    .execute();

  const started = clock.time;
  const first = await visit('m1');
  assert.equal(first, { kind: 'waiting', events: 4, until: new Date(started + 200), wake: 0 });
  clock.time += 199;
  assert.is((await visit('m1')).events, 1, 'a visit that comes early takes what there is');
  clock.time += 101;
  assert.is((await visit('m1')).events, 2);
  clock.time += 10_000;
  assert.is((await visit('m1')).events, 10, 'a pause stores a second, not ten');
  clock.time += 1_000;
  assert.equal(await visit('m1'), { kind: 'caught-up', events: 8 });
  assert.equal(
    await applied('m1'),
    Array.from({ length: 25 }, (_, i) => i + 1),
  );
  assert.is((await lane('m1')).rate_tokens, 2);
});

test('a window that fails costs no token', async () => {
  await using world = await createWorld();
  let failing = true;
  const { visit, seed, clock, lane } = oneEventSystem(
    world,
    each(() => {
      if (failing) throw new Error('not yet');
      return done;
    }),
  );
  await seed('m1', numbered(1, 2));
  await world.postgres.db
    .insertInto('lanes')
    .values({ merchant_id: 'm1', owner: null, worker: null, state_reason: null, due_at: null, rate_per_second: 2 })
    .execute();
  await world.postgres.db
    .updateTable('lanes')
    .set({ rate_tokens: 2, rate_at: new Date(clock.time) })
    .execute();
  assert.equal((await visit('m1')).kind, 'waiting');
  assert.is((await lane('m1')).rate_tokens, 2);
  failing = false;
  clock.time += 1_000;
  await visit('m1');
  assert.is((await lane('m1')).rate_tokens, 0);
});

test('a heavier merchant does as many quanta in its turn as its weight says', async () => {
  await using world = await createWorld();
  const { visit, seed } = oneEventSystem(
    world,
    each(() => done),
    {},
    { windowEvents: 2, quantumWindows: 2 },
  );
  for (const merchant of ['light', 'heavy']) await seed(merchant, numbered(1, 30));
  await world.postgres.db
    .insertInto('lanes')
    .values({ merchant_id: 'heavy', owner: null, worker: null, state_reason: null, due_at: null, weight: 3 })
    .execute();
  assert.equal(await visit('light'), { kind: 'yield', events: 4 });
  assert.equal(await visit('heavy'), { kind: 'yield', events: 12 });
});

test.run();
