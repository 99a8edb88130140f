import { Queue, Worker } from 'bullmq';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectRedis } from '../../core/clients/redis.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { done } from '../../core/events/handler.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { activationQueueName, sweepMarkerKey } from '../../core/runtime/queue-names.ts';
import { asRole } from '../../core/testing/as-role.ts';
import { waitFor } from '../../core/testing/wait-for.ts';
import { createWorld } from '../../core/testing/world.ts';
import { createActivations } from '../../workers/activate.ts';
import { startActors } from '../../workers/actors.ts';
import { createLanes } from '../../workers/lanes.ts';
import { each, numbered, oneEventSystem } from '../../workers/testing/one-event-system.ts';
import type { LanesCommand } from './parse-arguments.ts';
import { runLanesCommand } from './run-command.ts';

const requester = { by: 'ada', reason: 'a test' };

async function setUp(broken: { now: boolean } = { now: false }) {
  const world = await createWorld();
  const operator = asRole(world, 'laneway_operator');
  const redis = connectRedis(world.redisUrl, 'test');
  const { stack } = world;
  const activations = createActivations({
    ...{ redis, prefix: stack, partitions: 1, worker: 'test', leaseMs: 5_000, clock: systemClock },
  });
  const handler = each((n) => {
    if (n === 2 && broken.now) throw new Error('cannot do 2');
    return done;
  });
  const system = oneEventSystem(world, handler);
  const now = () => Date.now();
  const clock = { now, sleep: () => Promise.resolve() };
  const { registry } = system;
  const deps = { db: operator.db, redis, activations, stack, registry, clock, laneCap: 5 };
  await redis.set(sweepMarkerKey(stack), '1');
  return {
    ...system,
    redis,
    stack,
    activations,
    db: world.postgres.db,
    say: (command: LanesCommand) => runLanesCommand(deps, command),
    run: async (command: LanesCommand) => {
      const { value, text } = await runLanesCommand(deps, command);
      assert.ok(text.length > 0);
      return value as Record<string, unknown>;
    },
    explain: async (merchantId: string) => {
      const { value } = await runLanesCommand(deps, { kind: 'explain', merchantId });
      return value as { kind: string; event: { eventId: string; correlationId: string; traceId: string } | null };
    },
    /** The fleet, with a clock of its own. */
    actors: () =>
      startActors({
        deps: { ...system.deps, clock },
        limits: { ...system.deps, convoyLanes: 8, convoyEvents: 100, convoyBytes: 1_000_000 },
        activations,
        crews: 1,
        concurrency: 2,
        convoyMs: 2_500,
        convoyMeantMs: 1_000,
        callMs: 1_000,
        lockTimeoutMs: 100,
        leaseMs: 5_000,
        log: silentLog,
        readWakes: async ([merchantId = '']) => new Map([[merchantId, (await system.lane(merchantId)).wake]]),
      }),
    queue: () =>
      new Queue(activations.queues[0]?.name ?? '', { connection: redis, prefix: stack, skipMetasUpdate: true }),
    async [Symbol.asyncDispose]() {
      await activations.close();
      redis.disconnect();
      await operator.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

test('an explanation follows a lane from no activation over its turn and a failing head to its end', async () => {
  const broken = { now: true };
  await using world = await setUp(broken);
  const { seed, explain, activations, redis, stack, run } = world;
  await seed('m0', numbered(1, 1));
  await seed('m1', numbered(1, 3));
  assert.is((await explain('m1')).kind, 'waiting-for-activation');
  await activations.wake(['m0', 'm1']);
  const queued = await explain('m1');
  assert.equal([queued.kind, 'behind' in queued && queued.behind], ['queued', 1]);
  assert.equal([queued.event?.eventId, queued.event?.correlationId], ['m1-1', 'cor-m1-1']);
  assert.is(queued.event?.traceId.length, 32);

  const actors = world.actors();
  try {
    const retrying = await waitFor('the head to wait for its second try', async () => {
      const found = await explain('m1');
      return found.kind === 'retrying' ? found : undefined;
    });
    assert.equal(
      ['handler' in retrying && retrying.handler, 'of' in retrying && retrying.of, retrying.event?.eventId],
      ['h', 3, 'm1-2'],
    );
    assert.is((await run({ kind: 'show', merchantId: 'm1' }))['openDeliveries'], 1);
    broken.now = false;
    await waitFor('the end', async () => (await explain('m1')).kind === 'caught-up');
  } finally {
    await actors.stop(1_000);
  }
  await seed('m1', numbered(4, 4));
  await redis.del(sweepMarkerKey(stack));
  assert.is((await explain('m1')).kind, 'redis-lost');
});

test('an activation that somebody holds is a lane that is worked', async () => {
  await using world = await setUp();
  await world.seed('m1', numbered(1, 1));
  const options = { connection: world.redis, prefix: world.stack, autorun: false };
  const worker = new Worker(activationQueueName(0), null, options);
  worker.on('error', () => undefined);
  await world.activations.wake(['m1']);
  const job = await worker.getNextJob('a-token');
  assert.ok(job);
  assert.is((await world.explain('m1')).kind, 'working');
  await job.moveToCompleted('', 'a-token', false);
  await worker.close();
});

test('a lane that a worker claimed is that worker’s before it commits anything, and nobody’s once its lock is gone', async () => {
  await using world = await setUp();
  await world.seed('m1', numbered(1, 1));
  await world.db
    .insertInto('lanes')
    .values({ merchant_id: 'm1', owner: 'o-1', worker: 'predecessor', state_reason: null, due_at: null, cursor: 0 })
    .execute();
  await world.activations.wake(['m1']);
  const [partition] = world.activations.queues;
  const before = Date.now();
  const taken = await partition?.exchange([], { room: 1, leaseMs: 60_000, nowMs: before });
  assert.is(taken?.claimed.length, 1);
  const { kind, worker, owner, since } = { ...(await world.explain('m1')) } as Record<string, unknown>;
  assert.equal([kind, worker, owner, since], ['working', 'test', null, new Date(before).toISOString()]);
  await world.redis.del(`${world.stack}:${partition?.name ?? ''}:${taken?.claimed[0]?.id ?? ''}:lock`);
  const gone = { ...(await world.explain('m1')) } as Record<string, unknown>;
  assert.equal([gone['kind'], gone['worker']], ['worker-gone', 'test']);
});

test('a lane behind whose head an event of a newer release waits says which, as Postgres has it', async () => {
  await using world = await setUp();
  await world.seed('m1', numbered(1, 3));
  await world.db.updateTable('inbox').set({ event_version: '9.0.0' }).where('mseq', '=', 2).execute();
  const [partition] = world.activations.queues;
  await world.activations.wake(['m1']);
  const [activation] = (await partition?.exchange([], { room: 1, leaseMs: 5_000, nowMs: Date.now() }))?.claimed ?? [];
  assert.ok(activation);
  const later = { activation, action: 'later', atMs: Date.now() + 60_000 } as const;
  await partition?.exchange([later], { room: 0, leaseMs: 5_000, nowMs: Date.now() });
  const { kind, waitsFor, event } = { ...(await world.explain('m1')) } as Record<string, unknown>;
  assert.equal([kind, waitsFor], ['suspended', 'TestEvent 9.0.0']);
  assert.is((event as { eventId: string }).eventId, 'm1-2');
});

test('a command that changes nothing says what it found', async () => {
  await using world = await setUp();
  await world.seed('m1', numbered(1, 1));
  const say = async (kind: 'pause' | 'drain') => (await world.say({ kind, merchantId: 'm1', requester })).text;
  const unblock: LanesCommand = { kind: 'unblock', merchantId: 'm1', verdict: 'retry', requester };
  assert.match((await world.say(unblock)).text, /^nothing to unblock: m1 is active$/);
  await say('drain');
  assert.match(await say('drain'), /^nothing to change: m1 is draining$/);
  await say('pause');
  assert.match(await say('pause'), /^nothing to change: m1 is paused$/);
});

test('a lane that is suspended goes on when it is resumed, at once and not when its time comes', async () => {
  await using world = await setUp();
  const { seed, run, explain, applied } = world;
  await seed('m1', numbered(1, 3));
  await run({ kind: 'rate', merchantId: 'm1', ratePerSecond: 0.01, requester });
  const actors = world.actors();
  try {
    await waitFor('the bucket to be empty', async () => (await applied('m1')).length === 1);
    await waitFor('the suspension', async () => (await world.queue().getDelayedCount()) === 1);
    assert.is((await explain('m1')).kind, 'rate-limited');
    assert.is(actors.active, 0, 'it holds no slot');
    // Its next token comes in a minute and a half.
    const lifted = await run({ kind: 'rate', merchantId: 'm1', ratePerSecond: null, requester });
    assert.equal([lifted['changed'], lifted['woken']], [true, true]);
    await waitFor('the rest', async () => (await applied('m1')).length === 3);
  } finally {
    await actors.stop(1_000);
  }
});

test('a pause keeps a running fleet off one merchant, and a resume lets it go on', async () => {
  await using world = await setUp();
  const { seed, run, explain, applied, activations } = world;
  await seed('m1', numbered(1, 2));
  await seed('m2', numbered(1, 2));
  assert.is((await run({ kind: 'pause', merchantId: 'm1', requester }))['changed'], true);
  await activations.wake(['m1', 'm2']);
  const actors = world.actors();
  try {
    await waitFor('the other merchant', async () => (await applied('m2')).length === 2);
    await waitFor('no activation to be left', async () => (await world.queue().count()) === 0);
    assert.equal(await applied('m1'), []);
    assert.is((await explain('m1')).kind, 'paused');
    await run({ kind: 'resume', merchantId: 'm1', requester });
    await waitFor('the resumed one', async () => (await applied('m1')).length === 2);
  } finally {
    await actors.stop(1_000);
  }
});

test('a rebuilt lane shows what Postgres has past the cursor, in order and up to its cap, and is woken', async () => {
  await using world = await setUp();
  const { seed, run, redis, stack } = world;
  await seed('m1', numbered(1, 9));
  await world.db
    .insertInto('lanes')
    .values({ merchant_id: 'm1', owner: null, worker: null, state_reason: null, due_at: null, cursor: 2 })
    .execute();
  const stale = [1, 7].map((mseq) => ({ mseq, type: 'Stale', correlationId: 'none' }));
  await createLanes({ redis, prefix: stack, cap: 5, clock: systemClock, log: silentLog }).addPointers([
    { merchantId: 'm1', pointers: stale, backlog: 2 },
  ]);
  const rebuilt = await run({ kind: 'rebuild', merchantId: 'm1', requester });
  assert.equal([rebuilt['pointers'], rebuilt['woken']], [5, true]);
  const keys = await redis.lrange(`${stack}:lane-{m1}:wait`, 0, -1);
  assert.equal(keys.toReversed(), ['e-3', 'e-4', 'e-5', 'e-6', 'e-7']);
  assert.is(await redis.hget(`${stack}:lane-{m1}:e-7`, 'name'), 'TestEvent');
  assert.is(await world.queue().getWaitingCount(), 1);
});

test.run();
