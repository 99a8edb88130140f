import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ActDependencies } from './act.ts';
import { createActivations } from './activate.ts';
import { startActors, transactionsAtOnce } from './actors.ts';
import { createSweeper } from './sweep.ts';
import { createTestInHand } from './testing/in-hand.ts';
import type { TurnLimits } from './turns.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { type HandlerModule, done } from '../core/events/handler.ts';
import { registry } from '../core/events/registry.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { captureLog } from '../core/testing/captured-log.ts';
import { seedInbox } from '../core/testing/engine.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { startRedis } from '../ops/local/redis.ts';

const EVENT = 'AdPerformanceDataIngestedEvent';
const HANDLER = 'processIngestedPerformanceData';
const payload = registry.get(EVENT)?.example ?? {};

/** A world with a Redis of its own, so that a test may flush it. */
async function setup(handler: HandlerModule, { leaseMs = 30_000, concurrency = 4 } = {}) {
  const world = await createWorld();
  const dir = mkdtempSync(join(tmpdir(), 'laneway-actors-'));
  const server = await startRedis({ dir });
  const redis = connectRedis(server.url, 'test');
  const activations = createActivations({
    ...{ redis, prefix: world.stack, partitions: 2, worker: 'test', leaseMs, clock: systemClock },
  });
  const { db } = world.postgres;
  const deps: ActDependencies = {
    registry,
    handlers: new Map([[HANDLER, handler]]),
    random: Math.random,
    pool: world.postgres.pool,
    clock: systemClock,
    worker: 'test',
    windowEvents: 5,
    windowBytes: 1_000_000,
    quantumWindows: 2,
    quantumMs: 60_000,
    leaseMs,
    inHand: createTestInHand(),
    committed: () => undefined,
  };
  const actor = (overrides: Partial<ActDependencies> = {}, limits: Partial<TurnLimits> = {}, log = silentLog) => {
    const connection = connectRedis(server.url, 'actor');
    const { worker = 'test' } = overrides;
    const own = createActivations({
      ...{ redis: connection, prefix: world.stack, partitions: 2, worker, leaseMs, clock: systemClock },
    });
    const actors = startActors({
      deps: { ...deps, ...overrides },
      limits: { ...deps, convoyLanes: 8, convoyEvents: 100, convoyBytes: 1_000_000, ...limits },
      activations: own,
      crews: 2,
      concurrency,
      convoyMs: leaseMs / 2,
      convoyMeantMs: Math.min(1_000, leaseMs / 8),
      callMs: Math.min(1_000, leaseMs / 4),
      lockTimeoutMs: 100,
      leaseMs,
      log,
      readWakes: () => Promise.resolve(new Map()),
    });
    return {
      ...actors,
      stop: async (graceMs = 5_000) => {
        await actors.stop(graceMs);
        await own.close();
        connection.disconnect();
      },
    };
  };
  const sweeper = createSweeper({
    db,
    redis,
    prefix: world.stack,
    clock: { ...systemClock, now: () => Date.now() + 10_000 },
    log: silentLog,
    everyMs: 50,
    wakeMerchants: (merchants) => activations.wake(merchants),
    rouseMerchants: (merchants) => activations.rouse(merchants),
    wakeEffects: () => Promise.resolve(),
    housekeeping: () => Promise.resolve(),
  });
  return {
    db,
    redis,
    activations,
    actor,
    sweeper,
    seed: (merchantId: string, count: number) =>
      seedInbox(
        db,
        Array.from({ length: count }, () => ({ merchantId, eventType: EVENT, payload })),
      ),
    applied: async () => {
      const { rows } = await sql<{ merchant: string; mseqs: number[] }>`
        select merchant_id as merchant, array_agg(mseq::int order by settled_seq) as mseqs
        from applied group by merchant_id order by merchant_id`.execute(db);
      return rows;
    },
    async [Symbol.asyncDispose]() {
      await activations.close();
      redis.disconnect();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      await world[Symbol.asyncDispose]();
    },
  };
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const all = (count: number, merchants: string[]) => merchants.map((merchant) => ({ merchant, mseqs: upTo(count) }));
const ok: HandlerModule = { handle: () => Promise.resolve(done) };

test('merchants are worked in parallel, each in order, and take turns at their quantum', async () => {
  await using at = await setup(ok);
  const merchants = ['a:b', 'm1', 'm2', 'ünïcode'];
  for (const merchant of merchants) await at.seed(merchant, 23);
  await at.activations.wake(merchants);
  const actors = at.actor();
  await waitFor('all events', async () => {
    const lanes = await at.applied();
    return lanes.length === 4 && lanes.every(({ mseqs }) => mseqs.length === 23);
  });
  await actors.stop();
  assert.equal(await at.applied(), all(23, ['a:b', 'm1', 'm2', 'ünïcode']));
});

test('a wake-up that arrives while the merchant is worked is not lost', async () => {
  let release = () => undefined as void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let entered = false;
  await using at = await setup({
    handle: async () => {
      entered = true;
      await gate;
      return done;
    },
  });
  await at.seed('m', 1);
  await at.activations.wake(['m']);
  const actors = at.actor();
  await waitFor('the handler', () => entered);
  await at.seed('m', 1);
  await at.activations.wake(['m']);
  await at.activations.wake(['m']);
  release();
  await waitFor('both events', async () => (await at.applied())[0]?.mseqs.length === 2);
  await actors.stop();
  assert.equal(await at.applied(), all(2, ['m']));
});

test('after FLUSHALL the sweeper wakes every merchant that is behind, and order is kept', async () => {
  await using at = await setup(ok);
  for (const merchant of ['m1', 'm2', 'm3']) await at.seed(merchant, 12);
  await at.activations.wake(['m1', 'm2', 'm3']);
  await at.redis.flushall();
  const actors = at.actor();
  at.sweeper.start();
  await waitFor('all events', async () => (await at.applied()).filter((r) => r.mseqs.length === 12).length === 3);
  await at.sweeper.stop();
  await actors.stop();
  assert.equal(await at.applied(), all(12, ['m1', 'm2', 'm3']));
});

test('without a wake-up or a sweeper nothing runs: it is the sweeper that recovers', async () => {
  await using at = await setup(ok);
  await at.seed('m1', 3);
  const actors = at.actor();
  assert.equal(await at.sweeper.sweep(), { merchants: 1, effects: 0 });
  await waitFor('the events', async () => (await at.applied())[0]?.mseqs.length === 3);
  await actors.stop();
  assert.equal(await at.sweeper.sweep(), { merchants: 0, effects: 0 });
});

test('a lane whose worker died is worked by another after its lease, and the dead one is refused', async () => {
  let release = () => undefined as void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let entered = 0;
  const stuck: HandlerModule = {
    handle: async () => {
      entered += 1;
      if (entered === 1) await gate;
      return done;
    },
  };
  await using at = await setup(stuck, { leaseMs: 1_500 });
  await at.seed('m', 3);
  await at.activations.wake(['m']);
  const dead = at.actor({ worker: 'dead' });
  await waitFor('the handler', () => entered === 1);
  // The server ends the session of a worker that went silent inside a transaction; its lock on the activation runs out.
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction'`.execute(at.db);
  for (const key of await at.redis.keys('*:lock')) await at.redis.del(key);
  const successor = at.actor({ worker: 'successor' });
  await waitFor('the events', async () => (await at.applied())[0]?.mseqs.length === 3);
  release();
  await dead.stop();
  await successor.stop();
  assert.equal(await at.applied(), all(3, ['m']));
});

test('a shutdown lets the window in hand finish and puts the rest back for the next worker', async () => {
  let release = () => undefined as void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let entered = false;
  await using at = await setup({
    handle: async () => {
      entered = true;
      await gate;
      return done;
    },
  });
  await at.seed('m', 9);
  await at.activations.wake(['m']);
  const first = at.actor();
  await waitFor('the handler', () => entered);
  const stopped = first.stop();
  release();
  await stopped;
  assert.equal(await at.applied(), all(5, ['m']));
  const second = at.actor();
  await waitFor('the rest', async () => (await at.applied())[0]?.mseqs.length === 9);
  await second.stop();
  assert.equal(await at.applied(), all(9, ['m']));
});

test('a handler that hangs over the end of a shutdown is given up, is no attempt, and its lane goes to the next worker', async () => {
  let entered = 0;
  await using at = await setup({
    handle: async () => {
      entered += 1;
      if (entered === 1) await new Promise(() => undefined);
      return done;
    },
  });
  await at.seed('m', 2);
  await at.activations.wake(['m']);
  const first = at.actor();
  await waitFor('the handler', () => entered === 1);
  await first.stop(50);
  const second = at.actor();
  await waitFor('the events', async () => (await at.applied())[0]?.mseqs.length === 2);
  await second.stop();
  const deliveries = await at.db.selectFrom('deliveries').selectAll().execute();
  assert.equal(deliveries, []);
});

test('what may be worked alone at a time is for the process, however many partitions it has', async () => {
  let working = 0;
  let most = 0;
  await using at = await setup(
    {
      handle: async () => {
        working += 1;
        most = Math.max(most, working);
        await systemClock.sleep(20);
        working -= 1;
        return done;
      },
    },
    { concurrency: 1 },
  );
  const merchants = Array.from({ length: 12 }, (_, n) => `m${n}`);
  for (const merchant of merchants) await at.seed(merchant, 1);
  await at.activations.wake(merchants);
  // Their worker dies, so that each is worked alone by the next.
  const dying = { room: merchants.length, leaseMs: 1, nowMs: Date.now() };
  const taken = await Promise.all(at.activations.queues.map((queue) => queue.exchange([], dying)));
  assert.ok(taken.every(({ claimed }) => claimed.length > 1));
  let recovered = 0;
  await waitFor('all to be found', async () => {
    for (const queue of at.activations.queues) recovered += await queue.recoverStalled();
    return recovered === merchants.length;
  });
  const actor = at.actor();
  await waitFor('all events', async () => (await at.applied()).length === merchants.length);
  await actor.stop();
  assert.is(most, 1);
  assert.is(transactionsAtOnce({ actors: 16, crews: 4, activationPartitions: 8 }), 24);
});

test('lanes that wait for a newer release are told of once for all of them, and go on where one works', async () => {
  await using at = await setup(ok);
  const merchants = ['m1', 'm2', 'm3'];
  for (const merchant of merchants) await at.seed(merchant, 2);
  await at.activations.wake(merchants);
  const { log, lines } = captureLog();
  const older = new Map(registry);
  older.delete(EVENT);
  // Drawn for the pause after each try.
  let tries = 0;
  const random = () => {
    tries += 1;
    return 0;
  };
  const old = at.actor({ registry: older, random }, {}, log);
  await waitFor('each lane to be tried twice', () => tries >= 6);
  await old.stop();
  assert.equal(
    lines.map(({ level, message, times }) => ({ level, message, times })),
    [{ level: 'warn', message: 'lanes wait for a worker of a newer release', times: 1 }],
  );
  const next = at.actor();
  await waitFor('all events', async () => (await at.applied()).filter((r) => r.mseqs.length === 2).length === 3);
  await next.stop();
  assert.equal(await at.applied(), all(2, merchants));
});

test.run();
