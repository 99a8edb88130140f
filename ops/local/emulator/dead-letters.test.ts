import {
  CancelMessageMoveTaskCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../../core/testing/wait-for.ts';
import { bodies, emulatorWorld, errorOf } from './testing-world.ts';

const world = await emulatorWorld();
test.after(() => world[Symbol.asyncDispose]());

const redriveTo = (arn: string, maxReceiveCount: number | string) => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount }),
});

async function fifoPair(maxReceiveCount: number | string = 1) {
  const dlq = await world.fifoQueue();
  const dlqArn = await world.arn(dlq);
  const queue = await world.fifoQueue({ VisibilityTimeout: '0', ...redriveTo(dlqArn, maxReceiveCount) });
  return { queue, dlq, dlqArn };
}

/** Receives until all of `count` messages are dead. */
async function fill(queue: string, dlq: string, count: number) {
  for (let i = 0; i < count; i++) await world.sendTo(queue, 'A', `m${i}`);
  while ((await world.attribute(dlq, 'ApproximateNumberOfMessages')) !== String(count)) await world.receive(queue);
}

test('a message received too often moves to the dead-letter queue as it is, with its source', async () => {
  const dlq = await world.standardQueue();
  const queue = await world.standardQueue({ VisibilityTimeout: '0', ...redriveTo(await world.arn(dlq), '2') });
  const attributes = { a: { DataType: 'String', StringValue: 'v' } };
  const sent = await world.send(queue, 'poison', { MessageAttributes: attributes });
  for (const expected of [['poison'], ['poison'], []]) assert.equal(bodies(await world.receive(queue)), expected);
  const [dead] = await world.receive(dlq, { MessageAttributeNames: ['All'] });
  assert.is(dead?.MessageId, sent.MessageId);
  assert.is(dead?.MessageAttributes?.['a']?.StringValue, 'v');
  assert.is(dead?.Attributes?.DeadLetterQueueSourceArn, await world.arn(queue));
});

test('behind a dead letter the rest of its FIFO group goes on, and its group is kept', async () => {
  const { queue, dlq } = await fifoPair(2);
  for (const body of ['poison', 'good']) await world.sendTo(queue, 'G', body);
  for (let i = 0; i < 2; i++) assert.equal(bodies(await world.receive(queue, { MaxNumberOfMessages: 1 })), ['poison']);
  assert.equal(bodies(await world.receive(queue)), ['good']);
  const [dead] = await world.receive(dlq);
  assert.is(dead?.Body, 'poison');
  assert.is(dead?.Attributes?.MessageGroupId, 'G');
});

test('retention of a dead letter counts from its sending on a standard queue, from its arrival on a FIFO queue', async () => {
  const dlq = await world.standardQueue({ MessageRetentionPeriod: '3600' });
  const queue = await world.standardQueue({ VisibilityTimeout: '0', ...redriveTo(await world.arn(dlq), 1) });
  const fifo = await fifoPair();
  await world.send(queue, 'x');
  await world.sendTo(fifo.queue, 'A', 'x');
  await world.advance(3_000_000);
  for (const url of [queue, fifo.queue]) for (let i = 0; i < 2; i++) await world.receive(url);
  await world.advance(1_000_000);
  assert.equal(await world.counts(dlq), ['0', '0', '0']);
  assert.equal(await world.counts(fifo.dlq), ['1', '0', '0']);
});

test('a dead-letter queue knows its sources', async () => {
  const { queue, dlq } = await fifoPair();
  const found = await world.sqs.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dlq }));
  assert.equal(found.queueUrls, [queue]);
});

test('a redrive takes dead letters back to their source in order, as new messages', async () => {
  const { queue, dlq, dlqArn } = await fifoPair();
  await fill(queue, dlq, 25);
  await world.sqs.send(new StartMessageMoveTaskCommand({ SourceArn: dlqArn }));
  const task = await waitFor('the redrive', async () => {
    const { Results } = await world.sqs.send(new ListMessageMoveTasksCommand({ SourceArn: dlqArn }));
    return Results?.find(({ Status }) => Status === 'COMPLETED');
  });
  assert.is(task.ApproximateNumberOfMessagesMoved, 25);
  assert.equal(await world.counts(dlq), ['0', '0', '0']);
  const [first, second] = await world.receive(queue);
  assert.equal([first?.Body, second?.Body], ['m0', 'm1']);
  assert.is(first?.Attributes?.ApproximateReceiveCount, '1');
});

test('a redrive can go elsewhere and leaves what is in flight where it is', async () => {
  const { queue, dlq, dlqArn } = await fifoPair();
  await fill(queue, dlq, 3);
  await world.sendTo(queue, 'B', 'other');
  while ((await world.attribute(dlq, 'ApproximateNumberOfMessages')) !== '4') await world.receive(queue);
  await world.receive(dlq, { MaxNumberOfMessages: 1 });
  const target = await world.fifoQueue();
  const DestinationArn = await world.arn(target);
  await world.sqs.send(new StartMessageMoveTaskCommand({ SourceArn: dlqArn, DestinationArn }));
  await waitFor('the move', async () => (await world.attribute(target, 'ApproximateNumberOfMessages')) === '1');
  assert.equal(bodies(await world.receive(target)), ['other']);
  assert.equal(await world.counts(dlq), ['2', '1', '0']);
});

test('a slow redrive can be cancelled, and a second one is refused meanwhile', async () => {
  const { queue, dlq, dlqArn } = await fifoPair();
  await fill(queue, dlq, 5);
  const slow = new StartMessageMoveTaskCommand({ SourceArn: dlqArn, MaxNumberOfMessagesPerSecond: 1 });
  const { TaskHandle } = await world.sqs.send(slow);
  assert.is(await errorOf(world.sqs.send(slow)), 'InvalidParameterValue');
  const cancelled = await world.sqs.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
  assert.ok((cancelled.ApproximateNumberOfMessagesMoved ?? 5) < 5);
  await waitFor('the cancellation', async () => {
    const { Results } = await world.sqs.send(new ListMessageMoveTasksCommand({ SourceArn: dlqArn }));
    return Results?.[0]?.Status === 'CANCELLED';
  });
});

test('a redrive needs a queue that is a dead-letter queue', async () => {
  const plain = await world.arn(await world.fifoQueue());
  const start = (SourceArn: string) => world.sqs.send(new StartMessageMoveTaskCommand({ SourceArn }));
  assert.is(await errorOf(start(plain)), 'InvalidParameterValue');
  assert.is(await errorOf(start(`${plain}-missing`)), 'ResourceNotFoundException');
});

test('a dead-letter queue must exist and be of the type of its source', async () => {
  const standard = await world.arn(await world.standardQueue());
  assert.is(await errorOf(world.fifoQueue(redriveTo(standard, 3))), 'InvalidParameterValue');
  assert.is(await errorOf(world.standardQueue(redriveTo(`${standard}-missing`, 3))), 'InvalidParameterValue');
  assert.is(await errorOf(world.standardQueue(redriveTo(standard, 0))), 'InvalidParameterValue');
});

test.run();
