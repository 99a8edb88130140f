import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../core/runtime/clock.ts';
import { createWorld } from '../../core/testing/world.ts';
import { seedLane } from '../testing/seed.ts';
import { readBacklog, readHeldLanes, readLane } from './lanes.ts';

test('the busiest lanes are those with the longest backlog, and the total counts every lane', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const now = systemClock.now();
  await seedLane(db, { merchantId: 'short', accepted: 9, backlog: 2 }, now);
  await seedLane(db, { merchantId: 'long', accepted: 8, backlog: 8 }, now);
  await seedLane(db, { merchantId: 'middle', accepted: 5, backlog: 4 }, now);
  await seedLane(db, { merchantId: 'caught-up', accepted: 20, backlog: 0 }, now);
  const backlog = await readBacklog(db, 2);
  assert.is(backlog.total, 14);
  assert.is(backlog.merchantsBehind, 3);
  assert.is(backlog.partial, false);
  assert.equal(
    backlog.busiest.map((lane) => [lane.merchantId, lane.backlog]),
    [
      ['long', 8],
      ['middle', 4],
    ],
  );
});

test('the age of a lane is that of the first event past its cursor', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const now = systemClock.now();
  await seedLane(db, { merchantId: 'shop-1', accepted: 10, backlog: 3 }, now);
  await seedLane(db, { merchantId: 'shop-2', accepted: 10, backlog: 0 }, now);
  assert.equal((await readBacklog(db, 5)).busiest[0]?.oldestPendingAt, new Date(now - 3_000));
  assert.equal((await readLane(db, 'shop-1'))?.oldestPendingAt, new Date(now - 3_000));
  assert.is((await readLane(db, 'shop-2'))?.oldestPendingAt, null);
  assert.is(await readLane(db, 'nobody'), undefined);
});

test('a merchant that no actor has looked at yet is behind by everything it was sent', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const now = systemClock.now();
  await seedLane(db, { merchantId: 'new', accepted: 3, backlog: 3 }, now);
  await db.deleteFrom('lanes').execute();
  const [lane] = (await readBacklog(db, 5)).busiest;
  assert.equal([lane?.backlog, lane?.cursor, lane?.state], [3, 0, 'active']);
  assert.equal(lane?.oldestPendingAt, new Date(now - 3_000));
});

test('held lanes are found without a backlog, blocked before paused, longest first', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const now = systemClock.now();
  await seedLane(db, { merchantId: 'paused', accepted: 1, backlog: 0, state: 'paused', reason: 'asked' }, now - 60_000);
  await seedLane(db, { merchantId: 'blocked', accepted: 2, backlog: 1, state: 'blocked', reason: 'poison' }, now);
  await seedLane(db, { merchantId: 'longer', accepted: 1, backlog: 0, state: 'blocked' }, now - 10_000);
  await seedLane(db, { merchantId: 'busy', accepted: 50, backlog: 50 }, now);
  const held = await readHeldLanes(db, 10);
  assert.equal(
    held.map((lane) => [lane.merchantId, lane.stateReason]),
    [
      ['longer', null],
      ['blocked', 'poison'],
      ['paused', 'asked'],
    ],
  );
});

test('without any merchant there is no backlog', async () => {
  await using world = await createWorld();
  assert.equal(await readBacklog(world.postgres.db, 5), {
    total: 0,
    merchantsBehind: 0,
    partial: false,
    busiest: [],
  });
});

test.run();
