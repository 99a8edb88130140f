import { Queue } from 'bullmq';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { activationQueueName, bullPrefix, laneQueueName } from '../core/runtime/queue-names.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { type World, createWorld } from '../core/testing/world.ts';
import { type TestConsole, createTestConsole } from './testing/console.ts';
import { seedLane } from './testing/seed.ts';

const activations = activationQueueName(0);
const api = (queue: string, rest: string) => `/queues/api/queues/${encodeURIComponent(queue)}/${rest}`;

const queueOf = (world: World, console: TestConsole, name: string) =>
  new Queue(name, { connection: console.redis, prefix: bullPrefix(world.stack) });

interface ListedQueue {
  name: string;
  readOnlyMode: boolean;
  allowRetries: boolean;
  hasWorkers: boolean | null;
  counts: Record<string, number>;
  jobs: { data: unknown }[];
}

async function listed(console: TestConsole, activeQueue = ''): Promise<ListedQueue[]> {
  const response = await console.get(
    `/queues/api/queues?activeQueue=${encodeURIComponent(activeQueue)}&status=latest&page=1&jobsPerPage=10`,
  );
  assert.is(response.status, 200);
  return ((await response.json()) as { queues: ListedQueue[] }).queues;
}

test('the board shows the activations, the held lanes and the longest lanes, and no more than a handful', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { db } = world.postgres;
  const now = console.clock.now();
  for (let index = 1; index <= 20; index++)
    await seedLane(db, { merchantId: `shop-${index}`, accepted: index, backlog: index }, now);
  await seedLane(db, { merchantId: 'stuck', accepted: 1, backlog: 0, state: 'blocked' }, now);
  const names = (await listed(console)).map((queue) => queue.name);
  assert.equal(names, [
    '{activations-0}',
    '{effects-0}',
    'lane-{stuck}',
    ...[20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10].map((index) => `lane-{shop-${index}}`),
  ]);
});

test('the lanes shown follow the backlog, at most every ten seconds', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const { db } = world.postgres;
  await seedLane(db, { merchantId: 'first', accepted: 5, backlog: 5 }, console.clock.now());
  const lanes = async () =>
    (await listed(console)).map((queue) => queue.name).filter((name) => name.startsWith('lane'));
  assert.equal(await lanes(), ['lane-{first}']);
  await seedLane(db, { merchantId: 'second', accepted: 9, backlog: 9 }, console.clock.now());
  assert.equal(await lanes(), ['lane-{first}']);
  console.clock.advance(10_000);
  assert.equal(await lanes(), ['lane-{second}', 'lane-{first}']);
});

test('a lane that is opened by its link is shown although it is not busy, and names that are no lane are not', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const name = laneQueueName('<script>alert(1)</script>');
  await listed(console, name);
  await listed(console, 'lane-{a}:meta');
  await listed(console, 'anything');
  const names = (await listed(console)).map((queue) => queue.name);
  assert.equal(names, ['{activations-0}', '{effects-0}', name]);
});

test('looking writes nothing to Redis and asks for no client list', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  await seedLane(world.postgres.db, { merchantId: 'shop-1', accepted: 5, backlog: 5 }, console.clock.now());
  const queues = await listed(console, laneQueueName('shop-1'));
  assert.equal(
    queues.map((queue) => queue.hasWorkers),
    [null, null, null],
  );
  assert.is((await console.get(api(activations, 'workers'))).status, 403);
  assert.equal(await console.redis.keys(`${world.stack}*`), []);
});

test('by default nothing on the board can be retried, promoted, cleaned, added, paused or removed', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const lane = laneQueueName('shop-1');
  await seedLane(world.postgres.db, { merchantId: 'shop-1', accepted: 5, backlog: 5 }, console.clock.now());
  for (const name of [activations, lane]) {
    const queue = queueOf(world, console, name);
    await queue.add('activate', { merchantId: 'shop-1' }, { jobId: 'a-1', delay: 3_600_000 });
    assert.is((await listed(console)).find((shown) => shown.name === name)?.readOnlyMode, true);
    for (const call of [
      'a-1/retry',
      'a-1/promote',
      'a-1/clean',
      'retry/failed',
      'promote',
      'clean/delayed',
      'pause',
      'resume',
      'empty',
      'obliterate',
    ]) {
      const response = await console.put(api(name, call));
      assert.is(response.status, 405, `${name} ${call}`);
    }
    const added = await console.app.request(api(name, 'add'), {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('ops:correct horse')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'x', data: {}, options: {} }),
    });
    assert.is(added.status, 405);
    assert.is(await queue.getDelayedCount(), 1);
    assert.is(await queue.isPaused(), false);
  }
  assert.is((await console.put('/queues/api/queues/pause')).status, 405);
});

test('a writable board retries activations, and leaves lanes and everything else alone', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world, { boardWritable: true });
  const lane = laneQueueName('shop-1');
  await seedLane(world.postgres.db, { merchantId: 'shop-1', accepted: 5, backlog: 5 }, console.clock.now());
  await listed(console);
  // Reaches the retry itself, which finds no such job.
  assert.is((await console.put(api(activations, 'a-1/retry'))).status, 404);
  assert.is((await console.put(api(activations, 'retry/failed'))).status, 200);
  for (const call of ['empty', 'obliterate', 'pause', 'clean/delayed', 'promote'])
    assert.is((await console.put(api(activations, call))).status, 405, call);
  assert.is((await console.put('/queues/api/queues/pause')).status, 405);
  assert.is((await console.put(api(lane, 'a-1/retry'))).status, 405);
  assert.is((await console.put(api(lane, 'retry/failed'))).status, 405);
});

test('what the board shows of a lane is its pointers', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  const lane = laneQueueName('shop-1');
  await seedLane(world.postgres.db, { merchantId: 'shop-1', accepted: 1, backlog: 1 }, console.clock.now());
  const pointer = { mseq: 1, type: 'ProductCoreDataUpdatedEvent', correlationId: 'c-1' };
  await queueOf(world, console, lane).add('ProductCoreDataUpdatedEvent', pointer, { jobId: 'e-1' });
  const shown = (await listed(console, lane)).find((queue) => queue.name === lane);
  assert.is(shown?.counts['waiting'], 1);
  assert.equal(
    shown?.jobs.map((job) => job.data),
    [pointer],
  );
});

test('the board itself and its files need the login and are served', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  for (const path of ['/queues', '/queues/', '/queues/api/queues', '/queues/static/images/logo.svg'])
    assert.is((await console.app.request(path)).status, 401, path);
  assert.is((await console.get('/queues/')).headers.get('location'), '/queues');
  const board = await console.get('/queues');
  assert.is(board.status, 200);
  const html = await board.text();
  assert.match(html, '<base href="/queues/" />');
  const script = /static\/js\/main\.[0-9a-f]+\.js/.exec(html)?.[0] ?? '';
  assert.is((await console.get(`/queues/${script}`)).status, 200);
});

test('while Redis is away the board says so instead of waiting for it', async () => {
  await using world = await createWorld();
  await using console = createTestConsole(world);
  await listed(console);
  console.redis.disconnect();
  await waitFor('the connection to end', () => console.redis.status === 'end');
  assert.is((await console.get('/queues/api/queues')).status, 503);
});

test.run();
