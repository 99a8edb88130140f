import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DestinationLimits } from '../core/events/destination-limits.ts';
import { type Clock, systemClock } from '../core/runtime/clock.ts';
import { type World, createWorld } from '../core/testing/world.ts';
import { createQuota } from './quota.ts';

const T0 = Date.parse('2026-11-23T10:00:00Z');
const limits: DestinationLimits = { quota: [{ calls: 1_000, perMs: 60_000, burst: 100 }], concurrency: 4 };

/** One worker's share of the quotas, at a time that stands still until the test moves it. */
function setUp({ postgres }: World, of = limits) {
  const time = { now: T0 };
  const clock: Clock = { ...systemClock, now: () => time.now };
  const worker = () => createQuota({ db: postgres.db, limitsOf: () => of, clock });
  const tokens = async () => {
    const rows = await postgres.db.selectFrom('quota_ledger').select('tokens').orderBy('window_ms').execute();
    return rows.map((row) => Math.round(row.tokens * 1_000) / 1_000);
  };
  return { time, worker, tokens };
}

test('one transaction serves many calls, and what is not used is given back at the stop', async () => {
  await using world = await createWorld();
  const { worker, tokens } = setUp(world);
  const quota = worker();
  assert.equal(await quota.take('d', 2, undefined), { kind: 'granted', tokens: 2 });
  assert.equal(await tokens(), [78]);
  for (let call = 0; call < 10; call++) await quota.take('d', 2, undefined);
  assert.equal(await tokens(), [78]);
  quota.putBack('d', 1);
  await quota.release();
  assert.equal(await tokens(), [79]);
});

test('workers that race get no more than the destination allows, in all of its windows', async () => {
  await using world = await createWorld();
  const twice: DestinationLimits = {
    quota: [
      { calls: 1_000, perMs: 60_000, burst: 40 },
      { calls: 5_000, perMs: 86_400_000, burst: 25 },
    ],
    concurrency: 4,
  };
  const { worker, tokens } = setUp(world, twice);
  const workers = Array.from({ length: 4 }, worker);
  const grants = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => (await workers[i % 4]?.take('d', 1, undefined))?.kind),
  );
  await Promise.all(workers.map((each) => each.release()));
  const granted = grants.filter((kind) => kind === 'granted').length;
  const [minute = 0, day = 0] = await tokens();
  assert.ok(granted <= 25, String(granted));
  assert.equal([minute + granted, day + granted], [40, 25]);
});

test('tokens that were held for too long, or over a pause, are not used', async () => {
  await using world = await createWorld();
  const { time, worker, tokens } = setUp(world);
  const quota = worker();
  await quota.take('d', 1, undefined);
  assert.equal(await tokens(), [79]);
  time.now += 2_000;
  // Given back, refilled to the burst, and asked for again.
  await quota.take('d', 1, undefined);
  assert.equal(await tokens(), [79]);
  await quota.pause('d', time.now + 10_000);
  assert.equal((await quota.take('d', 1, undefined)).kind, 'wait');
  const other = await worker().take('d', 1, undefined);
  assert.ok(other.kind === 'wait' && other.until >= time.now + 10_000);
});

test('calls that no grant covered are paid for with the next one', async () => {
  await using world = await createWorld();
  const { time, worker, tokens } = setUp(world);
  const quota = worker();
  await quota.take('d', 1, undefined);
  await quota.release();
  quota.putBack('d', -5);
  time.now += 1;
  await quota.release();
  assert.ok(((await tokens())[0] ?? 0) < 95);
});

test.run();
