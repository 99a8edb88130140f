import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  QueueDoesNotExist,
  ReceiptHandleIsInvalid,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bodies, emulatorWorld, errorOf } from './testing-world.ts';

const world = await emulatorWorld();
test.after(() => world[Symbol.asyncDispose]());

const remove = (queue: string, handle: string | undefined) =>
  world.sqs.send(new DeleteMessageCommand({ QueueUrl: queue, ReceiptHandle: handle }));

test('characters of every plane are accepted, control characters refused', async () => {
  const queue = await world.standardQueue();
  await world.send(queue, 'naïve 😀 𝒳');
  assert.equal(bodies(await world.receive(queue)), ['naïve 😀 𝒳']);
  assert.is(await errorOf(world.send(queue, 'a\u0000b')), 'InvalidMessageContents');
});

test('a faulty entry of a batch fails alone', async () => {
  const queue = await world.standardQueue();
  const Entries = ['good', 'bad\u0001', 'fine'].map((MessageBody, i) => ({ Id: `e${i}`, MessageBody }));
  const sent = await world.sqs.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }));
  assert.equal(
    sent.Failed?.map(({ Id, Code }) => [Id, Code]),
    [['e1', 'InvalidMessageContents']],
  );
  assert.equal(bodies(await world.receive(queue)), ['good', 'fine']);
});

test('counts follow time without a receive', async () => {
  const queue = await world.standardQueue({ VisibilityTimeout: '30' });
  await world.send(queue, 'seen');
  await world.receive(queue);
  await world.send(queue, 'delayed', { DelaySeconds: 60 });
  assert.equal(await world.counts(queue), ['0', '1', '1']);
  await world.advance(31_000);
  assert.equal(await world.counts(queue), ['1', '0', '1']);
  await world.advance(30_000);
  assert.equal(await world.counts(queue), ['2', '0', '0']);
});

test('a message is gone once its retention is over, in flight or not', async () => {
  const queue = await world.standardQueue({ MessageRetentionPeriod: '60' });
  await world.send(queue, 'in flight');
  await world.receive(queue, { VisibilityTimeout: 3_600 });
  await world.send(queue, 'waiting');
  assert.equal(await world.counts(queue), ['1', '1', '0']);
  await world.advance(61_000);
  assert.equal(await world.counts(queue), ['0', '0', '0']);
});

test('a receipt handle that this queue did not issue is refused', async () => {
  const [queue, other] = [await world.standardQueue(), await world.standardQueue()];
  await world.send(other, 'x');
  const [foreign] = await world.receive(other);
  for (const handle of ['garbage', foreign?.ReceiptHandle]) {
    try {
      await remove(queue, handle);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, ReceiptHandleIsInvalid);
    }
  }
});

test('a handle outlives the visibility timeout on a standard queue until the next receive, on a FIFO queue not', async () => {
  const queue = await world.standardQueue();
  for (const body of ['late', 'received again']) await world.send(queue, body);
  const [late, stale] = await world.receive(queue);
  await world.advance(31_000);
  await remove(queue, late?.ReceiptHandle);
  await remove(queue, late?.ReceiptHandle);
  assert.equal(bodies(await world.receive(queue)), ['received again']);
  await remove(queue, stale?.ReceiptHandle);
  assert.equal(await world.counts(queue), ['0', '1', '0']);

  const fifo = await world.fifoQueue();
  await world.sendTo(fifo, 'A', 'x');
  const [expired] = await world.receive(fifo);
  await world.advance(31_000);
  assert.is(await errorOf(remove(fifo, expired?.ReceiptHandle)), 'InvalidParameterValue');
});

test('visibility can be changed while a message is in flight and at no other time', async () => {
  const queue = await world.standardQueue();
  const change = (handle: string | undefined, seconds: number) =>
    world.sqs.send(
      new ChangeMessageVisibilityCommand({ QueueUrl: queue, ReceiptHandle: handle, VisibilityTimeout: seconds }),
    );
  await world.send(queue, 'x');
  const [message] = await world.receive(queue);
  await change(message?.ReceiptHandle, 100);
  await world.advance(60_000);
  assert.equal(await world.counts(queue), ['0', '1', '0']);
  await change(message?.ReceiptHandle, 0);
  assert.equal(await world.counts(queue), ['1', '0', '0']);
  assert.is(await errorOf(change(message?.ReceiptHandle, 10)), 'MessageNotInflight');
  assert.is(await errorOf(change('garbage', 10)), 'ReceiptHandleIsInvalid');
});

test('a standard queue keeps the message group and the trace header', async () => {
  const queue = await world.standardQueue();
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793';
  await world.send(queue, 'x', {
    MessageGroupId: 'tenant',
    MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: trace } },
  });
  const [message] = await world.receive(queue);
  assert.is(message?.Attributes?.MessageGroupId, 'tenant');
  assert.is(message?.Attributes?.AWSTraceHeader, trace);
});

test('attributes are returned only when asked for', async () => {
  const queue = await world.standardQueue();
  const attribute = { DataType: 'String', StringValue: 'v' };
  await world.send(queue, 'x', { MessageAttributes: { 'a.1': attribute, 'a.2': attribute, b: attribute } });
  const receive = async (names: string[]) => {
    const asked = { MessageAttributeNames: names, MessageSystemAttributeNames: [], VisibilityTimeout: 0 };
    const [message] = await world.receive(queue, asked);
    assert.is(message?.Attributes, undefined);
    return Object.keys(message?.MessageAttributes ?? {});
  };
  assert.equal(await receive([]), []);
  assert.equal(await receive(['a.*']), ['a.1', 'a.2']);
  assert.equal(await receive(['b']), ['b']);
  assert.equal(await receive(['All']), ['a.1', 'a.2', 'b']);
});

test('a queue that does not exist and an attribute that does not exist have the errors of AWS', async () => {
  const queue = await world.standardQueue();
  try {
    await world.receive(`${queue}-missing`);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, QueueDoesNotExist);
  }
  // Age is a metric of CloudWatch, not an attribute: a product that asked the queue for it would fail on AWS.
  const age = new GetQueueAttributesCommand({
    QueueUrl: queue,
    AttributeNames: ['ApproximateAgeOfOldestMessage' as QueueAttributeName],
  });
  assert.is(await errorOf(world.sqs.send(age)), 'InvalidAttributeName');
});

test.run();
