// test-stack
import { randomBytes } from 'node:crypto';
import { CreateQueueCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectSQS } from '../core/clients/sqs.ts';
import { registry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import { type Clock, systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { sendBody } from '../core/testing/intake.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createInFlight } from './in-flight.ts';
import { type PollerOptions, createPoller } from './poll.ts';

async function setUp(options: Partial<PollerOptions> = {}) {
  const sqs = connectSQS();
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: `t${randomBytes(5).toString('hex')}` }));
  const [queue] = topologyOf(registry, 'test').queues.filter((each) => !each.fifo);
  if (queue === undefined) throw new Error('no standard queue');
  const bodies: string[] = [];
  const poller = createPoller({
    queue,
    queueUrl: QueueUrl,
    sqs,
    receives: 2,
    waitSeconds: 1,
    visibilitySeconds: 30,
    handleBatch: (messages: readonly Message[]) => {
      bodies.push(...messages.map((message) => message.Body ?? ''));
      return Promise.resolve();
    },
    mayPoll: () => true,
    log: silentLog,
    clock: systemClock,
    stopGraceMs: 200,
    ...options,
  });
  return {
    sqs,
    QueueUrl,
    poller,
    bodies,
    send: (body: string) => sendBody(sqs, QueueUrl, body),
    async [Symbol.asyncDispose]() {
      await poller.stop();
      sqs.destroy();
    },
  };
}

test('a poller hands on what arrives, says when it last received, and stops for good', async () => {
  await using t = await setUp();
  assert.is(t.poller.state, 'idle');
  t.poller.start();
  assert.throws(() => t.poller.start(), /started before/);
  await Promise.all(['a', 'b', 'c'].map(t.send));
  await waitFor('three messages', () => t.bodies.length === 3);
  assert.equal(t.bodies.toSorted(), ['a', 'b', 'c']);
  assert.is(t.poller.state, 'polling');
  assert.ok(t.poller.lastReceiveAt !== undefined && t.poller.lastReceiveAt <= Date.now());
  await t.poller.stop();
  assert.is(t.poller.state, 'stopped');
  await t.send('d');
  const { Messages } = await t.sqs.send(new ReceiveMessageCommand({ QueueUrl: t.QueueUrl, WaitTimeSeconds: 1 }));
  assert.is(Messages?.[0]?.Body, 'd');
});

test('nothing is taken while intake is closed', async () => {
  let open = false;
  let asked = 0;
  await using t = await setUp({
    mayPoll: () => {
      asked += 1;
      return open;
    },
  });
  t.poller.start();
  await t.send('a');
  await waitFor('several questions', () => asked >= 4);
  assert.equal(t.bodies, []);
  assert.is(t.poller.state, 'holding');
  open = true;
  await waitFor('the message', () => t.bodies.length === 1);
});

test('no receive is begun while too much is in flight, and a stop waits for what is', async () => {
  const finish: (() => void)[] = [];
  await using t = await setUp({
    maxInFlight: 1,
    receives: 1,
    handleBatch: () => new Promise<void>((resolve) => finish.push(resolve)),
  });
  t.poller.start();
  await t.send('a');
  await waitFor('the first batch', () => finish.length === 1);
  await t.send('b');
  await waitFor('the poller to hold', () => t.poller.state === 'holding');
  assert.is(t.poller.inFlight, 1);
  assert.is(finish.length, 1);
  finish[0]?.();
  await waitFor('the second batch', () => finish.length === 2);
  const stopped = t.poller.stop();
  assert.is(t.poller.state, 'stopping');
  let ended = false;
  void stopped.then(() => (ended = true));
  await waitFor('a turn of the loop', () => new Promise((resolve) => setImmediate(() => resolve(true))));
  assert.is(ended, false);
  finish[1]?.();
  await stopped;
  assert.is(t.poller.inFlight, 0);
});

test('what all queues of a process have in flight is bounded together, in bytes of UTF-8', async () => {
  const shared = createInFlight({ maxMessages: 100, maxBytes: 10 });
  const finish: (() => void)[] = [];
  await using busy = await setUp({
    shared,
    handleBatch: () => new Promise<void>((resolve) => finish.push(resolve)),
  });
  await using other = await setUp({ shared, receives: 1 });
  busy.poller.start();
  // Six characters, twelve bytes.
  await busy.send('ÄÖÜäöü');
  await waitFor('the batch', () => finish.length === 1);
  assert.is(shared.bytes, 12);
  other.poller.start();
  await other.send('a');
  await waitFor('the other poller to hold', () => other.poller.state === 'holding');
  assert.equal(other.bodies, []);
  finish[0]?.();
  await waitFor('its message', () => other.bodies.length === 1);
  await waitFor('nothing in flight', () => shared.bytes === 0);
});

test('a poller that waits for room of others can be stopped', async () => {
  const shared = createInFlight({ maxMessages: 1, maxBytes: 10 });
  const end = shared.begin(1, 1);
  await using t = await setUp({ shared });
  t.poller.start();
  await waitFor('the poller to hold', () => t.poller.state === 'holding');
  await t.poller.stop();
  assert.is(t.poller.state, 'stopped');
  end();
});

test('a failing queue is asked with growing pauses, and a success ends that', async () => {
  const pauses: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => {
      pauses.push(ms);
      return systemClock.sleep(1, signal);
    },
  };
  const real = connectSQS();
  let failing = true;
  const flaky = Object.assign(Object.create(real) as SQSClient, {
    send: (...args: Parameters<SQSClient['send']>) =>
      failing ? Promise.reject(new Error('connection refused')) : real.send(...args),
  });
  await using t = await setUp({ sqs: flaky, clock, receives: 1, random: () => 0 });
  t.poller.start();
  await waitFor('several failures', () => pauses.length >= 8);
  assert.equal(pauses.slice(0, 8), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.is(t.poller.state, 'backing-off');
  assert.is(t.poller.lastReceiveAt, undefined);
  failing = false;
  await t.send('a');
  await waitFor('the message', () => t.bodies.length === 1);
  assert.is(t.poller.state, 'polling');
  await t.poller.stop();
  real.destroy();
});

test('a batch that is not handled ends neither the poller nor its count', async () => {
  let batches = 0;
  await using t = await setUp({
    handleBatch: () => {
      batches += 1;
      throw new Error('broken');
    },
  });
  t.poller.start();
  await t.send('a');
  await waitFor('the first', () => batches === 1);
  await t.send('b');
  await waitFor('the second', () => batches === 2);
  await waitFor('nothing in flight', () => t.poller.inFlight === 0);
});

test('a stop does not wait out a long poll, and no message is lost to it', async () => {
  await using t = await setUp({ waitSeconds: 20, stopGraceMs: 1 });
  t.poller.start();
  await t.send('a');
  await waitFor('the poller to be at work', () => t.bodies.length === 1);
  await t.poller.stop();
  await t.send('b');
  const { Messages } = await t.sqs.send(new ReceiveMessageCommand({ QueueUrl: t.QueueUrl, WaitTimeSeconds: 5 }));
  assert.is(Messages?.[0]?.Body, 'b');
});

test.run();
