import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Activation, type ActivationQueue, createActivationQueue } from './activation-queue.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { unusedPrefix } from '../core/testing/world.ts';
import { startRedis } from '../ops/local/redis.ts';

const LEASE_MS = 30_000;

function setup() {
  const world = unusedPrefix();
  const redis = connectRedis(world.redisUrl, 'test');
  const name = '{activations-0}';
  const queue = createActivationQueue({ redis, prefix: world.stack, name, worker: 'test', leaseMs: LEASE_MS });
  const bull = new Queue(name, { connection: redis, prefix: world.stack });
  const at = (nowMs: number) => ({
    add: (...merchants: string[]) => queue.add(merchants, nowMs),
    claim: async (room: number, leaseMs = LEASE_MS) => (await queue.exchange([], { room, leaseMs, nowMs })).claimed,
    end: (activation: Activation, action: 'done' | 'again') =>
      queue.exchange([{ activation, action }], { room: 0, leaseMs: LEASE_MS, nowMs }),
    later: (activation: Activation, atMs: number) =>
      queue.exchange([{ activation, action: 'later', atMs }], { room: 0, leaseMs: LEASE_MS, nowMs }),
  });
  return {
    queue,
    bull,
    redis,
    at,
    ...at(1_000),
    keys: async () => (await redis.keys(`${world.stack}:${name}:*`)).map((key) => key.split(':').slice(2).join(':')),
    bullOptions: { connection: redis, prefix: world.stack },
    async [Symbol.asyncDispose]() {
      await queue.close();
      await bull.close();
      redis.disconnect();
    },
  };
}

/** From here on every call of the command is sent twice, as a client does whose connection broke before the answer came. */
function twiceSent(redis: object, command: string) {
  const answers: unknown[] = [];
  const once = Reflect.get(redis, command) as (...args: unknown[]) => Promise<unknown>;
  Reflect.set(redis, command, async (...args: unknown[]) => {
    for (let time = 0; time < 2; time++) answers.push(await once.apply(redis, args));
    return answers.at(-1);
  });
  return { answers, restore: () => void Reflect.set(redis, command, once) };
}

const merchants = (claimed: readonly Activation[]) => claimed.map(({ merchantId }) => merchantId);
const only = (claimed: readonly Activation[]): Activation => {
  const [first] = claimed;
  if (first === undefined || claimed.length > 1) throw new Error(`${claimed.length} activations, not one`);
  return first;
};
const claimOne = async (queue: ActivationQueue, nowMs: number) =>
  only((await queue.exchange([], { room: 10, leaseMs: LEASE_MS, nowMs })).claimed);

test('merchants are claimed in the order in which they were woken, as many as there is room for', async () => {
  await using s = setup();
  await s.add('a:b', 'ünïcode', 'm3');
  assert.equal(merchants(await s.claim(2)), ['a:b', 'ünïcode']);
  assert.equal(merchants(await s.claim(2)), ['m3']);
  assert.equal(merchants(await s.claim(2)), []);
});

test('a merchant that waits or is suspended is not added twice, and one that runs is followed once', async () => {
  await using s = setup();
  await s.add('m', 'm');
  await s.add('m');
  const running = only(await s.claim(10));
  await s.add('m');
  await s.add('m');
  assert.equal(merchants(await s.claim(10)), [], 'nobody runs beside it');
  await s.end(running, 'done');
  const follower = only(await s.claim(10));
  assert.is.not(follower.id, running.id);
  await s.later(follower, 5_000);
  await s.add('m');
  assert.equal(merchants(await s.claim(10)), [], 'a suspension absorbs wake-ups');
  const due = await claimOne(s.queue, 5_000);
  assert.equal([due.id, due.claimCount], [follower.id, 2]);
  await s.end(due, 'done');
  assert.equal(await s.claim(10), []);
});

test('what ends for good leaves no key of the merchant behind', async () => {
  await using s = setup();
  await s.add('m');
  await s.end(only(await s.claim(1)), 'done');
  assert.equal(
    (await s.keys()).filter((key) => !/^(marker|meta|answer:.*)$/.test(key)),
    [],
  );
});

test('a merchant whose turn is over goes behind all that wait', async () => {
  await using s = setup();
  await s.add('noisy', 'q1', 'q2');
  const noisy = only(await s.claim(1));
  await s.end(noisy, 'again');
  assert.equal(merchants(await s.claim(10)), ['q1', 'q2', 'noisy']);
});

test('ending and claiming is one step, and says when the next suspended one is due', async () => {
  await using s = setup();
  await s.add('m1', 'm2');
  const first = only(await s.claim(1));
  const exchanged = await s.queue.exchange([{ activation: first, action: 'later', atMs: 9_000 }], {
    room: 5,
    leaseMs: LEASE_MS,
    nowMs: 1_000,
  });
  assert.equal([merchants(exchanged.claimed), exchanged.refused, exchanged.dueAt], [['m2'], [], 9_000]);
});

test('a command that is sent again, since its answer was lost on the way, is answered as before', async () => {
  await using s = setup();
  await s.add('m1', 'm2', 'm3', 'm4');
  const [first, second] = await s.claim(2);
  if (first === undefined || second === undefined) throw new Error('nothing to end');
  const twice = twiceSent(s.redis, 'activationsExchange');
  const ends = [
    { activation: first, action: 'done' },
    { activation: { ...second, token: 'of somebody else' }, action: 'done' },
  ] as const;
  const exchanged = await s.queue.exchange(ends, { room: 1, leaseMs: LEASE_MS, nowMs: 1_000 });
  twice.restore();
  assert.is(twice.answers.length, 2);
  assert.equal(twice.answers[1], twice.answers[0]);
  assert.equal([merchants(exchanged.claimed), exchanged.refused.map(({ merchantId }) => merchantId)], [['m3'], ['m2']]);
  assert.equal(merchants(await s.claim(10)), ['m4'], 'nothing was claimed for nobody');
  assert.equal(await s.queue.renew(exchanged.claimed, LEASE_MS), []);
});

test('of the exchanges of a client no answer is kept but the last', async () => {
  await using s = setup();
  await s.add('m1', 'm2', 'm3');
  for (const merchantId of ['m1', 'm2', 'm3']) assert.equal(merchants(await s.claim(1)), [merchantId]);
  assert.is((await s.keys()).filter((key) => key.startsWith('answer:')).length, 1);
  await s.claim(1);
  assert.is((await s.keys()).filter((key) => key.startsWith('answer:')).length, 0);
});

test('a suspended activation can be made due at once, and one that is not suspended any more is left alone', async () => {
  await using s = setup();
  await s.add('m');
  const first = only(await s.claim(1));
  await s.later(first, 60_000);
  await s.queue.promote([first]);
  const again = only(await s.claim(1));
  await s.queue.promote([again]);
  assert.equal(await s.claim(1), []);
});

test('an activation whose lock ran out is claimed again and says so, and its former owner can do nothing to it', async () => {
  await using s = setup();
  await s.add('m');
  const lost = only(await s.claim(1, 1));
  await waitFor('the lock to run out', async () => (await s.keys()).every((key) => !key.endsWith(':lock')));
  assert.is(await s.queue.recoverStalled(), 1);
  assert.is(await s.queue.recoverStalled(), 0);
  const owner = only(await s.claim(1));
  assert.equal([owner.id, owner.stalledCount, owner.token === lost.token], [lost.id, 1, false]);
  assert.equal(await s.queue.renew([lost], LEASE_MS), [lost]);
  assert.equal((await s.end(lost, 'done')).refused, [lost]);
  assert.equal(await s.queue.renew([owner], LEASE_MS), []);
  assert.equal((await s.end(owner, 'done')).refused, []);
});

test('an activation that has its lock is nobody else’s, however often somebody looks', async () => {
  await using s = setup();
  await s.add('m1', 'm2');
  const held = await s.claim(2);
  for (let looks = 0; looks < 3; looks++) {
    assert.is(await s.queue.recoverStalled(), 0);
    await s.redis.del(`${s.bullOptions.prefix}:{activations-0}:stalled-check`);
  }
  assert.equal(await s.queue.renew(held, LEASE_MS), []);
});

test('one that looks for the dead looks for all', async () => {
  await using s = setup();
  await s.add('m1', 'm2');
  const [first] = await s.claim(2, 60_000);
  assert.is(await s.queue.recoverStalled(), 0);
  await s.redis.del(`${s.bullOptions.prefix}:{activations-0}:${first?.id}:lock`);
  assert.is(await s.queue.recoverStalled(), 0, 'somebody just looked');
  await waitFor('the next look', async () => (await s.queue.recoverStalled()) === 1);
});

test('a wake-up is not lost to an activation that Redis forgot', async () => {
  await using s = setup();
  await s.add('m');
  const forgotten = only(await s.claim(1));
  await s.redis.del(`${s.bullOptions.prefix}:{activations-0}:${forgotten.id}`);
  await s.add('m');
  assert.equal(merchants(await s.claim(1)), ['m']);
});

test('who waits for work is told of what is added and of what becomes due', async () => {
  await using s = setup();
  const added = s.queue.waitForWork(10_000);
  await s.add('m');
  assert.is(await added, undefined);
  await s.later(only(await s.claim(1)), 7_000);
  assert.equal(await s.queue.waitForWork(10_000), { dueAt: 7_000 });
});

test('a full Redis gives work away, renews, recovers and takes ends, and refuses wake-ups', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-full-'));
  const server = await startRedis({ dir });
  const redis = connectRedis(server.url, 'test');
  const queue = createActivationQueue({ redis, prefix: 'full', name: '{q}', worker: 'test', leaseMs: LEASE_MS });
  try {
    await queue.add(['m1', 'm2'], 1_000);
    await redis.config('SET', 'maxmemory', '1000');
    await queue.add(['m3'], 1_000).then(
      () => assert.unreachable('it was taken'),
      (error: unknown) => assert.match(String(error), 'OOM'),
    );
    const first = only((await queue.exchange([], { room: 1, leaseMs: LEASE_MS, nowMs: 1_000 })).claimed);
    assert.equal(await queue.renew([first], LEASE_MS), []);
    const end = { activation: first, action: 'done' } as const;
    const { claimed, refused } = await queue.exchange([end], { room: 1, leaseMs: LEASE_MS, nowMs: 1_000 });
    assert.equal([merchants(claimed), refused], [['m2'], []]);
    // Its owner dies: somebody else takes it, full or not.
    await redis.del('full:{q}:' + only(claimed).id + ':lock');
    assert.is(await queue.recoverStalled(), 1);
    const taken = only((await queue.exchange([], { room: 1, leaseMs: LEASE_MS, nowMs: 1_000 })).claimed);
    assert.equal([taken.merchantId, taken.stalledCount], ['m2', 1]);
  } finally {
    await queue.close();
    redis.disconnect();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a paused queue gives nothing', async () => {
  await using s = setup();
  await s.add('m');
  await s.bull.pause();
  assert.equal(await s.claim(1), []);
  await s.bull.resume();
  assert.equal(merchants(await s.claim(1)), ['m']);
});

test('BullMQ reads, takes and ends what is added here, follow-ups included', async () => {
  await using s = setup();
  await s.add('m');
  const [waiting] = await s.bull.getWaiting();
  assert.equal([waiting?.name, waiting?.data], ['activate', { merchantId: 'm' }]);
  const taker = new Worker('{activations-0}', null, { ...s.bullOptions, autorun: false });
  const job = await taker.getNextJob('token', { block: false });
  await s.add('m');
  await job?.moveToCompleted('', 'token', false);
  await taker.close();
  const follower = only(await s.claim(1));
  assert.is(follower.merchantId, 'm');
  await s.end(follower, 'done');
  await s.add('m');
  assert.equal(merchants(await s.claim(1)), ['m'], 'no key of deduplication is left over');
});

test('what BullMQ adds is taken and ended here, and what is suspended here BullMQ promotes', async () => {
  await using s = setup();
  const options = { jobId: 'a-1', deduplication: { id: 'm', keepLastIfActive: true } };
  await s.bull.add('activate', { merchantId: 'm' }, options);
  const first = only(await s.claim(1));
  await s.later(first, 60_000);
  const [delayed] = await s.bull.getDelayed();
  await delayed?.promote();
  const again = only(await s.claim(1));
  await s.end(again, 'done');
  assert.is(await s.bull.getDeduplicationJobId('m'), null);
});

test.run();
