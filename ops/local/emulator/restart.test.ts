import { CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bodies, emulatorWorld } from './testing-world.ts';

test('a FIFO queue carries on after a restart: order, what was in flight, the dedupe window', async () => {
  await using world = await emulatorWorld();
  const queue = await world.fifoQueue();
  const sent = await world.sendTo(queue, 'A', '1', { MessageDeduplicationId: 'd' });
  for (const body of ['2', '3']) await world.sendTo(queue, 'A', body);
  await world.sendTo(queue, 'B', 'b');
  const taken = await world.receive(queue, { MaxNumberOfMessages: 2 });
  await world.remove(queue, taken.slice(0, 1));
  await world.restart();
  const duplicate = await world.sendTo(queue, 'A', 'again', { MessageDeduplicationId: 'd' });
  assert.is(duplicate.MessageId, sent.MessageId);
  const next = await world.sendTo(queue, 'A', '4');
  assert.ok((next.SequenceNumber ?? '') > (sent.SequenceNumber ?? ''));
  const received = await world.receive(queue);
  assert.equal(bodies(received), ['2', '3', '4', 'b']);
  assert.is(received[0]?.Attributes?.ApproximateReceiveCount, '2');
});

test('attributes, dead letters, delays and message attributes are there after a restart', async () => {
  await using world = await emulatorWorld();
  const dlq = await world.standardQueue();
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: await world.arn(dlq), maxReceiveCount: 1 });
  const queue = await world.standardQueue({ VisibilityTimeout: '0', RedrivePolicy });
  const attributes = { n: { DataType: 'Number', StringValue: '3' } };
  await world.send(queue, 'dead', { MessageAttributes: attributes });
  for (let i = 0; i < 2; i++) await world.receive(queue);
  await world.send(queue, 'delayed', { DelaySeconds: 900 });
  await world.restart();
  assert.is(await world.attribute(queue, 'RedrivePolicy'), RedrivePolicy);
  assert.equal(await world.counts(queue), ['0', '0', '1']);
  const [dead] = await world.receive(dlq, { MessageAttributeNames: ['All'] });
  assert.is(dead?.MessageAttributes?.['n']?.StringValue, '3');
  assert.is(dead?.Attributes?.DeadLetterQueueSourceArn, await world.arn(queue));
});

test('topics deliver to their subscriptions after a restart', async () => {
  await using world = await emulatorWorld();
  const sns = new SNSClient(world.connection);
  const queue = await world.fifoQueue();
  const create = { Name: 'changes.fifo', Attributes: { FifoTopic: 'true' } };
  const { TopicArn } = await sns.send(new CreateTopicCommand(create));
  const filtered = { RawMessageDelivery: 'true', FilterPolicy: '{"k":["a"]}' };
  const Endpoint = await world.arn(queue);
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint, Attributes: filtered }));
  const publish = (k: string, id: string) =>
    sns.send(
      new PublishCommand({
        TopicArn,
        Message: id,
        MessageGroupId: 'G',
        MessageDeduplicationId: id,
        MessageAttributes: { k: { DataType: 'String', StringValue: k } },
      }),
    );
  const before = await publish('a', '1');
  await world.restart();
  assert.is((await publish('a', '1')).SequenceNumber, before.SequenceNumber);
  await publish('b', '2');
  const after = await publish('a', '3');
  assert.ok((after.SequenceNumber ?? '') > (before.SequenceNumber ?? ''));
  assert.equal(bodies(await world.receive(queue)), ['1', '3']);
  sns.destroy();
});

test('objects are there after a restart', async () => {
  await using world = await emulatorWorld();
  const s3 = new S3Client({ ...world.connection, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'reports' }));
  await s3.send(new PutObjectCommand({ Bucket: 'reports', Key: 'a/b.csv', Body: 'x,y' }));
  await world.restart();
  const read = await s3.send(new GetObjectCommand({ Bucket: 'reports', Key: 'a/b.csv' }));
  assert.is(await read.Body?.transformToString(), 'x,y');
  s3.destroy();
});

test.run();
