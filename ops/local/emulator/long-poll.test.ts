import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bodies, emulatorWorld } from './testing-world.ts';

const world = await emulatorWorld();
test.after(() => world[Symbol.asyncDispose]());

const byText = (a = '', b = '') => a.localeCompare(b);
const poll = (queue: string) => world.receive(queue, { WaitTimeSeconds: 20, MaxNumberOfMessages: 1 });

/** Lets time pass in steps until the poll ends: when it reaches the emulator is not known here. */
async function afterTime<T>(polling: Promise<T>, stepMs: number): Promise<T> {
  const state = { ended: false };
  const end = () => void (state.ended = true);
  polling.then(end, end);
  while (!state.ended) await world.advance(stepMs);
  return polling;
}

test('each message wakes one poll, and the others go on waiting', async () => {
  const queue = await world.standardQueue();
  const polls = [poll(queue), poll(queue), poll(queue)];
  for (const body of ['1', '2', '3']) await world.send(queue, body);
  assert.equal(bodies((await Promise.all(polls)).flat()).toSorted(byText), ['1', '2', '3']);
});

test('a poll waits through messages of a locked group until the group opens', async () => {
  const queue = await world.fifoQueue();
  await world.sendTo(queue, 'A', '1');
  const first = await poll(queue);
  const polling = poll(queue);
  await world.sendTo(queue, 'A', '2');
  await world.remove(queue, first);
  assert.equal(bodies(await polling), ['2']);
});

test('a poll ends empty when its time is up', async () => {
  const queue = await world.standardQueue();
  assert.equal(await afterTime(poll(queue), 5_000), []);
  const byDefault = await world.standardQueue({ ReceiveMessageWaitTimeSeconds: '20' });
  const polling = world.receive(byDefault);
  await world.send(byDefault, 'x');
  assert.equal(bodies(await polling), ['x']);
});

test('visibility that runs out and a delay that ends wake a poll', async () => {
  const queue = await world.standardQueue({ VisibilityTimeout: '10' });
  await world.send(queue, 'seen');
  await world.receive(queue);
  assert.equal(bodies(await afterTime(poll(queue), 500)), ['seen']);
  const delayed = await world.standardQueue({ DelaySeconds: '10' });
  await world.send(delayed, 'delayed');
  assert.equal(bodies(await afterTime(poll(delayed), 500)), ['delayed']);
});

test('a poll whose client went away takes no message with it', async () => {
  const queue = await world.standardQueue();
  for (let i = 0; i < 20; i++) {
    const request = new AbortController();
    const command = new ReceiveMessageCommand({ QueueUrl: queue, WaitTimeSeconds: 20 });
    const abandoned = world.sqs.send(command, { abortSignal: request.signal }).catch(() => 'abandoned');
    // By the time this is answered the poll has most often begun. What follows must hold in either case.
    await world.counts(queue);
    request.abort();
    assert.is(await abandoned, 'abandoned');
    await world.send(queue, `message ${i}`);
    const [message] = await poll(queue);
    assert.is(message?.Body, `message ${i}`);
    assert.is(message?.Attributes?.ApproximateReceiveCount, '1');
  }
});

test('long polls leave room for other calls on the same queue', async () => {
  const queue = await world.standardQueue();
  const polls = Array.from({ length: 20 }, () => poll(queue));
  for (let i = 0; i < 20; i++) await world.send(queue, String(i));
  assert.is((await Promise.all(polls)).flat().length, 20);
});

test.run();
