import { Worker } from 'bullmq';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createActivations } from './activate.ts';
import { type Activation, recoveryIntervalMs } from './activation-queue.ts';
import { type ActorOptions, startActors } from './actors.ts';
import { createLanes } from './lanes.ts';
import { createLeases } from './leases.ts';
import { createSweeper } from './sweep.ts';
import { type TestHandler, createLaneSystem } from './testing/lane-system.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { done, snooze } from '../core/events/handler.ts';
import { limitLane, pauseLane, resumeLane } from '../core/operations/lane-commands.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { activationQueueName, laneQueueName } from '../core/runtime/queue-names.ts';
import { startProxy } from '../core/testing/proxy.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';

async function setUp(run: TestHandler['run'], { leaseMs = 30_000 } = {}) {
  const world = await createWorld();
  const prefix = world.stack;
  const redis = connectRedis(world.redisUrl, 'test');
  const activations = createActivations({
    ...{ redis, prefix, partitions: 1, worker: 'test', leaseMs, clock: systemClock },
  });
  const system = createLaneSystem(world, { h: { run } });
  const { db } = world.postgres;
  const closing: (() => Promise<unknown>)[] = [];
  return {
    world,
    closing,
    db,
    redis,
    system,
    activations,
    lanes: createLanes({ redis, prefix, cap: 100, clock: systemClock, log: silentLog }),
    actors(deps: Partial<ActorOptions['deps']> = {}, options: Partial<ActorOptions> = {}) {
      const all = { ...system.deps, clock: systemClock, ...deps };
      const actors = startActors({
        deps: all,
        // One lane at a time, so that the order of turns shows.
        limits: { ...all, convoyLanes: 1, convoyEvents: 100, convoyBytes: 1_000_000 },
        activations,
        crews: 1,
        concurrency: 1,
        convoyMs: leaseMs / 2,
        convoyMeantMs: Math.min(1_000, leaseMs / 8),
        callMs: Math.min(1_000, leaseMs / 4),
        lockTimeoutMs: 100,
        leaseMs,
        log: silentLog,
        readWakes: () => Promise.resolve(new Map()),
        ...options,
      });
      closing.push(() => actors.stop(1_000));
    },
    sweeper: () =>
      createSweeper({
        ...{ db, redis, prefix, clock: systemClock, log: silentLog, everyMs: 50 },
        wakeMerchants: (merchants) => activations.wake(merchants),
        rouseMerchants: (merchants) => activations.rouse(merchants),
        wakeEffects: () => Promise.resolve(),
        housekeeping: () => Promise.resolve(),
      }),
    /** Takes activations by hand, and looks for stalled ones. */
    taker() {
      const [queue] = activations.queues;
      if (queue === undefined) throw new Error('there is a partition');
      return {
        queue,
        take: () =>
          waitFor(
            'an activation',
            async () => {
              await queue.recoverStalled();
              return (await queue.exchange([], { room: 1, leaseMs, nowMs: Date.now() })).claimed[0];
            },
            { everyMs: 50 },
          ),
      };
    },
    allSettled: (merchantId: string, count: number) =>
      waitFor(
        `${count} events of ${merchantId}`,
        async () => (await system.settled(merchantId)).length === count,
        // The longest wait that is right is far shorter; a wake-up that was lost never comes.
        { timeoutMs: 8_000 },
      ),
    /** What a FLUSHALL does to this world. */
    async flush() {
      const keys = await redis.keys(`${prefix}:*`);
      if (keys.length > 0) await redis.unlink(...keys);
    },
    async [Symbol.asyncDispose]() {
      for (const close of closing) await close();
      await activations.close();
      redis.disconnect();
      await world[Symbol.asyncDispose]();
    },
  };
}

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));

test('the activations of dead workers are looked for twenty times a lease, so that a death costs little more than that', () => {
  assert.is(recoveryIntervalMs(30_000), 1_500);
});

test('what a command claims that was given up while Redis hung is given back at once, and nobody waits for a lease', async () => {
  const begun = Promise.withResolvers<undefined>();
  const released = Promise.withResolvers<undefined>();
  await using at = await setUp(
    async (_, { merchantId }) => {
      if (merchantId !== 'first') return done;
      begun.resolve(undefined);
      await released.promise;
      return done;
    },
    { leaseMs: 60_000 },
  );
  await using proxy = await startProxy(Number(new URL(at.world.redisUrl).port));
  const redis = connectRedis(at.world.redisUrl.replace(/:\d+/, `:${proxy.port}`), 'hanging');
  const activations = createActivations({
    ...{ redis, prefix: at.world.stack, partitions: 1, worker: 'hung', leaseMs: 60_000, clock: systemClock },
  });
  const said: string[] = [];
  const log = Object.create(silentLog, {
    warn: { value: (message: string) => void said.push(message) },
  }) as typeof silentLog;
  at.actors({}, { activations, log });
  await at.system.seed('first', [{ n: 1 }]);
  await at.activations.wake(['first']);
  await begun.promise;
  proxy.setMode({ kind: 'hang' });
  const late = ['late1', 'late2', 'late3'];
  for (const merchantId of late) await at.system.seed(merchantId, [{ n: 1 }]);
  await at.activations.wake(late);
  released.resolve(undefined);
  await waitFor('the command to be given up', () => said.some((message) => message.startsWith('activations in Redis')));
  proxy.setMode({ kind: 'pass' });
  await Promise.all(late.map((merchantId) => at.allSettled(merchantId, 1)));
  at.closing.push(async () => {
    await activations.close();
    redis.disconnect();
  });
});

test('lanes that hang keep their own places and no other: who is well is worked beside them', async () => {
  const hanging = new Promise<never>(() => undefined);
  await using at = await setUp((_, { merchantId }) => (merchantId.startsWith('sick') ? hanging : done), {
    leaseMs: 60_000,
  });
  const sick = Array.from({ length: 8 }, (_, n) => `sick${n}`);
  const well = ['well0', 'well1', 'well2'];
  for (const merchantId of [...sick, ...well]) await at.system.seed(merchantId, [{ n: 1 }]);
  await at.activations.wake([...sick, ...well]);
  at.actors({}, { callMs: 20 });
  for (const merchantId of well) await at.allSettled(merchantId, 1);
});

test('an activation outlives any number of workers that die with it', async () => {
  await using at = await setUp(() => done, { leaseMs: 300 });
  await at.system.seed('m', [{ n: 1 }]);
  await at.activations.wake(['m']);
  const taker = at.taker();
  for (const death of [1, 2, 3]) {
    // Taken, never renewed, never finished.
    const { merchantId, stalledCount } = await taker.take();
    assert.equal([merchantId, stalledCount], ['m', death - 1]);
  }
  at.actors();
  await at.allSettled('m', 1);
});

test('a wake-up that comes when its merchant’s last window was read is not lost', async () => {
  await using at = await setUp(async (n, { merchantId }) => {
    if (n !== 2) return done;
    // The window is read and is the last: it was not full. What comes now is the next activation's.
    await at.system.seed(merchantId, [{ n: 3 }]);
    await at.activations.wake([merchantId]);
    return done;
  });
  await at.system.seed('m', numbered(1, 2));
  await at.activations.wake(['m']);
  at.actors();
  await at.allSettled('m', 3);
});

test('a run whose activation was taken over loses its lease and leaves its successor’s alone', async () => {
  await using at = await setUp(() => done, { leaseMs: 4_000 });
  await at.activations.wake(['m']);
  const { queue, take } = at.taker();
  const first = await take();
  const lockKey = `${at.world.stack}:${queue.name}:${first.id}:lock`;
  // The process was not scheduled for a lease; then it takes the same activation a second time.
  await at.redis.del(lockKey);
  const second = await take();
  assert.equal([second.id, second.token === first.token], [first.id, false]);
  let renewals = 0;
  const leases = createLeases({
    leaseMs: 4_000,
    log: silentLog,
    renew: async (held: readonly Activation[]) => {
      const lost = await queue.renew(held, 4_000);
      renewals += 1;
      return lost;
    },
  });
  at.closing.push(() => Promise.resolve(leases.close()));
  const successor = leases.hold(second);
  const stale = leases.hold(first);
  await waitFor('the first run to lose its lease', () => stale.signal.aborted);
  stale.release();
  renewals = 0;
  await waitFor('five renewals, more than a lease', () => renewals >= 5);
  assert.is(successor.signal.aborted, false);
  assert.is(await at.redis.get(lockKey), second.token);
});

test('an error that nobody expected puts the activation off and does not lose it', async () => {
  await using at = await setUp(() => done);
  await at.system.seed('m', numbered(1, 2));
  await at.activations.wake(['m']);
  let failures = 2;
  const pool = new Proxy(at.world.postgres.pool, {
    get: (target, key) => {
      if (key !== 'connect' || failures === 0) return Reflect.get(target, key) as unknown;
      failures -= 1;
      return () => Promise.reject(new Error('nobody thought of this'));
    },
  });
  at.actors({ pool });
  await at.allSettled('m', 2);
  assert.is(failures, 0);
});

test('whoever used up its quantum goes behind every merchant that waits', async () => {
  const order: string[] = [];
  await using at = await setUp((n, { merchantId }) => {
    order.push(`${merchantId} ${n}`);
    return done;
  });
  await at.system.seed('noisy', numbered(1, 6));
  for (const merchant of ['q1', 'q2', 'q3']) await at.system.seed(merchant, [{ n: 1 }]);
  for (const merchant of ['noisy', 'q1', 'q2', 'q3']) await at.activations.wake([merchant]);
  at.actors({ windowEvents: 2, quantumWindows: 1 });
  await at.allSettled('noisy', 6);
  assert.equal(order, ['noisy 1', 'noisy 2', 'q1 1', 'q2 1', 'q3 1', 'noisy 3', 'noisy 4', 'noisy 5', 'noisy 6']);
});

test('a resume that comes while its lane is being suspended is not lost', async () => {
  let ready = false;
  await using at = await setUp(() => (ready ? done : snooze(3_600_000, 'not yet')));
  await at.system.seed('m', [{ n: 1 }]);
  await at.activations.wake(['m']);
  const resume = async () => {
    ready = true;
    await at.db.updateTable('deliveries').set({ not_before: new Date() }).execute();
    const lane = await at.db.updateTable('lanes').set({ wake: 1 }).returning('wake').executeTakeFirstOrThrow();
    return lane.wake;
  };
  // Read when the activation was just put away: the resume came between the window and this.
  at.actors({}, { readWakes: async () => new Map([['m', await resume()]]) });
  await at.allSettled('m', 1);
});

test('a pointer that comes after its event was worked goes with the next activation, which finds nothing', async () => {
  await using at = await setUp(() => done);
  const committed: Parameters<typeof at.actors>[0] = { committed: (lanes) => void at.lanes.trim(lanes) };
  const keys = () => at.redis.keys(`${at.world.stack}:lane-*`);
  const late = async () => {
    const pointers = [{ mseq: 1, type: 'TestEvent', correlationId: 'c1' }];
    await at.lanes.addPointers([{ merchantId: 'm', pointers, backlog: 1 }]);
    assert.is((await keys()).length, 2, 'the list and its pointer');
  };
  await at.system.seed('m', numbered(1, 1));
  await at.system.run('m');
  await late();
  assert.equal(await at.system.run('m', committed), { kind: 'caught-up', events: 0 });
  await waitFor('a lane on its own to be trimmed', async () => (await keys()).length === 0);

  await late();
  at.actors(committed);
  await at.activations.wake(['m']);
  await waitFor('a lane of a convoy to be trimmed', async () => (await keys()).length === 0);
  await at.system.seed('m', numbered(2, 2));
  await at.activations.wake(['m']);
  await at.allSettled('m', 2);
});

const requester = { by: 'ada', reason: 'a test' };
const delayed = (at: Awaited<ReturnType<typeof setUp>>) =>
  at.redis.zcard(`${at.world.stack}:${activationQueueName(0)}:delayed`);

/** Commands as operators give them while Redis cannot be reached: nothing but Postgres hears of them. */
const commands = {
  'ending a pause': async (at: Awaited<ReturnType<typeof setUp>>) => {
    for (const change of [pauseLane, resumeLane]) await change(at.db, { merchantId: 'm', requester }, Date.now());
  },
  'lifting a rate': (at: Awaited<ReturnType<typeof setUp>>) =>
    limitLane(at.db, { merchantId: 'm', requester, ratePerSecond: null }, Date.now()),
  'raising a rate': (at: Awaited<ReturnType<typeof setUp>>) =>
    limitLane(at.db, { merchantId: 'm', requester, ratePerSecond: 100 }, Date.now()),
};

test('a command of which Redis did not hear ends a suspension at the sweeper’s next pass', async () => {
  for (const [name, command] of Object.entries(commands)) {
    await using at = await setUp(() => done);
    await at.system.seed('m', numbered(1, 1));
    await at.system.run('m');
    await limitLane(at.db, { merchantId: 'm', requester, ratePerSecond: 0.001 }, Date.now());
    await at.db.updateTable('lanes').set({ rate_tokens: 0, due_at: null }).execute();
    await at.system.seed('m', numbered(2, 2));
    at.actors();
    await at.activations.wake(['m']);
    await waitFor('the suspension', async () => (await delayed(at)) === 1);
    await at.sweeper().sweep();
    assert.is(await delayed(at), 1, 'what is only behind stays suspended');

    // A resumed lane has its rate still: that it was looked at shows in the time that is due no more.
    await command(at);
    await at.sweeper().sweep();
    if (name !== 'ending a pause') await at.allSettled('m', 2);
    else await waitFor('the visit', async () => (await at.system.lane('m')).due_at === null);
  }
});

test('a lane that is roused and must wait all the same is suspended again, and due when its time comes', async () => {
  await using at = await setUp((n) => (n === 1 ? snooze(3_600_000, 'in an hour') : done));
  await at.system.seed('m', numbered(1, 1));
  at.actors();
  await at.activations.wake(['m']);
  await waitFor('the suspension', async () => (await delayed(at)) === 1);
  await commands['ending a pause'](at);
  await at.sweeper().sweep();
  const later = () => at.system.lane('m').then(({ due_at }) => (due_at?.getTime() ?? 0) > Date.now() + 3_000_000);
  await waitFor('the lane to wait again', async () => (await delayed(at)) === 1 && (await later()));
});

test('a back-off is left to end, however often its lane is roused', async () => {
  await using at = await setUp(() => done);
  const { queue, take } = at.taker();
  await at.activations.wake(['m']);
  const end = { activation: await take(), action: 'later', atMs: Date.now() + 9_000 } as const;
  await queue.exchange([end], { room: 0, leaseMs: 1_000, nowMs: Date.now() });
  await at.activations.rouse(['m']);
  assert.is(await delayed(at), 1);
});

test('events that are accepted while the lanes are rebuilt after a flush keep their place', async () => {
  const order: number[] = [];
  await using at = await setUp((n) => {
    order.push(n);
    return done;
  });
  const entry = (from: number, to: number) => ({
    merchantId: 'm',
    backlog: to,
    pointers: numbered(from, to).map(({ n }) => ({ mseq: n, type: 'TestEvent', correlationId: `c${n}` })),
  });
  await at.system.seed('m', numbered(1, 5));
  await at.lanes.addPointers([entry(1, 5)]);
  await at.activations.wake(['m']);
  await at.flush();
  // A poller goes on while the sweeper has not looked yet; then both at once.
  await at.system.seed('m', numbered(6, 7));
  await at.lanes.addPointers([entry(6, 7)]);
  await at.activations.wake(['m']);
  const sweeper = at.sweeper();
  at.actors({ windowEvents: 2 });
  await sweeper.sweep();
  await at.system.seed('m', numbered(8, 9));
  await at.activations.wake(['m']);
  await at.allSettled('m', 9);
  assert.equal(order, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('whatever becomes of a lane’s pointers, its events are worked in order', async () => {
  await using at = await setUp(() => done);
  await at.system.seed('m', numbered(1, 4));
  // Out of order, one missing, and the head taken by something that died with it.
  const pointers = [3, 1, 2].map((mseq) => ({ mseq, type: 'TestEvent', correlationId: `c${mseq}` }));
  await at.lanes.addPointers([{ merchantId: 'm', pointers, backlog: 4 }]);
  const thief = new Worker(laneQueueName('m'), undefined, {
    connection: at.redis,
    prefix: at.world.stack,
    autorun: false,
  });
  assert.is((await thief.getNextJob('thief', { block: false }))?.data.mseq, 3);
  await thief.close();
  await at.activations.wake(['m']);
  at.actors({ windowEvents: 1 });
  await at.allSettled('m', 4);
  assert.equal(await at.system.settled('m'), ['1 done', '2 done', '3 done', '4 done']);
});

test.run();
