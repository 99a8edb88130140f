// test-stack
// test-deadline: 300s
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createActivations } from '../../workers/activate.ts';
import { type Fleet, createFleet } from './fleet.ts';
import { connectRedis } from '../../core/clients/redis.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import { waitFor } from '../../core/testing/wait-for.ts';
import { startRedis } from '../local/redis.ts';

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));
const merchants = Array.from({ length: 6 }, (_, i) => `m${i}`);
const sendAll = (fleet: Fleet, from: number, to: number) =>
  Promise.all(merchants.map((merchant) => fleet.send(merchant, numbered(from, to))));

/** Events that are in the inbox already, as many as intake took before it stopped. */
const seedAll = (fleet: Fleet, from: number, to: number) =>
  seedInbox(
    fleet.world.postgres.db,
    merchants.flatMap((merchantId) =>
      numbered(from, to).map((payload) => ({
        merchantId,
        eventType: 'FaultEvent',
        payload: { ...payload },
        eventId: `${merchantId}-${payload.n}`,
      })),
    ),
  );

async function isFaultless(fleet: Fleet, count: number): Promise<void> {
  for (const merchant of merchants) {
    const settled = await fleet.settled(merchant, count);
    assert.equal(
      settled.map(({ eventId }) => eventId),
      numbered(1, count).map(({ n }) => `${merchant}-${n}`),
    );
  }
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
}

/** A fleet with a Redis of its own, which may be filled, emptied and restarted. */
async function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-faults-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  let server = await startRedis({ dir });
  stack.defer(() => server.stop());
  const redis = connectRedis(server.url, 'test');
  stack.defer(() => redis.disconnect());
  const fleet = stack.use(await createFleet({ LANEWAY_REDIS_URL: server.url, LANEWAY_LEASE_MS: '6000' }));
  return {
    dir,
    redis,
    fleet,
    info: async (section: string, field: string): Promise<number> => {
      const info = await redis.info(section);
      return Number(new RegExp(`^${field}[:=](\\d+)`, 'm').exec(info)?.[1] ?? 0);
    },
    async restart(between: () => Promise<unknown> = () => Promise.resolve()) {
      await server.stop();
      await between();
      server = await startRedis({ dir, port: server.port });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test('as Redis fills up intake stops and lanes go on; when it is full nothing storms, and all resumes with room', async () => {
  await using at = await setUp();
  const { fleet, redis } = at;
  const worker = await fleet.start('w');
  await sendAll(fleet, 1, 5);
  await isFaultless(fleet, 5);

  const used = await at.info('memory', 'used_memory');
  await redis.config('SET', 'maxmemory', String(Math.floor(used / 0.75)));
  const stopped = await worker.says('intake stopped');
  assert.match(String(stopped['reason']), /^Redis uses \d+ % of its memory, intake stops at 60 %$/);
  assert.is((await fetch(`${worker.url}/readyz`)).status, 503);
  await seedAll(fleet, 6, 10);
  await isFaultless(fleet, 10);

  // Full, with more activations waiting than one convoy takes: what is there already is still given away and worked.
  const crowd = Array.from({ length: 150 }, (_, i) => `crowd-${i}`);
  await seedInbox(
    fleet.world.postgres.db,
    crowd.map((merchantId) => ({ merchantId, eventType: 'FaultEvent', payload: { n: 1 } })),
  );
  const activations = createActivations({
    ...{ redis, prefix: fleet.world.stack, partitions: 1, worker: 'test', leaseMs: 6_000, clock: systemClock },
  });
  await activations.wake(crowd);
  await redis.config('SET', 'maxmemory', String(Math.floor(used / 2)));
  for (const merchant of crowd) await fleet.settled(merchant, 1);
  await seedAll(fleet, 11, 15);
  await sendAll(fleet, 16, 20);
  const refusals = () => at.info('errorstats', 'errorstat_OOM:count');
  await waitFor('writes to be refused', async () => (await refusals()) > 0);
  const before = await refusals();
  const from = performance.now();
  await waitFor('three seconds of a full Redis', () => performance.now() - from > 3_000);
  const perSecond = ((await refusals()) - before) / ((performance.now() - from) / 1_000);
  // The sweeper's pass and each actor queue's next try; a loop without a pause makes thousands.
  assert.ok(perSecond < 50, `${Math.round(perSecond)} refused commands a second`);

  await redis.config('SET', 'maxmemory', '512mb');
  await isFaultless(fleet, 20);
  await activations.close();
  await worker.says('intake goes on');
  assert.is(worker.said('intake stopped').length, 1);
  const complaints = worker.lines.filter(({ level }) => level === 'warn' || level === 'error');
  assert.ok(complaints.length < 30, complaints.map(({ message }) => message).join('\n'));
});

test('a Redis that comes back empty, or without its last seconds, costs neither an event nor its place', async () => {
  await using at = await setUp();
  const { fleet, redis } = at;
  const worker = await fleet.start('w');
  await sendAll(fleet, 1, 20);
  await fleet.settled('m0', 1);
  await at.restart();
  await sendAll(fleet, 21, 40);
  await isFaultless(fleet, 40);

  // What a replica had that did not get the last writes.
  await redis.save();
  copyFileSync(join(at.dir, 'dump.rdb'), join(at.dir, 'older.rdb'));
  await sendAll(fleet, 41, 60);
  await fleet.accepted(60 * merchants.length);
  // What is accepted here has a wake-up that nobody has any more, and no message of its merchant comes after it.
  await at.restart(() => {
    copyFileSync(join(at.dir, 'older.rdb'), join(at.dir, 'dump.rdb'));
    return seedAll(fleet, 61, 65);
  });
  await isFaultless(fleet, 65);
  await sendAll(fleet, 66, 80);
  await isFaultless(fleet, 80);
  const errors = worker.lines.filter(({ level }) => level === 'error');
  assert.equal(
    errors.map(({ message }) => message),
    [],
  );
  assert.is((await fetch(`${worker.url}/readyz`)).status, 200);
});

test.run();
