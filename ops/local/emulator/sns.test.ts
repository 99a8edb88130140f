import { DeleteQueueCommand } from '@aws-sdk/client-sqs';
import {
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  PublishBatchCommand,
  PublishCommand,
  type PublishCommandInput,
  SetSubscriptionAttributesCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bodies, emulatorWorld, errorOf } from './testing-world.ts';

const world = await emulatorWorld();
const sns = new SNSClient(world.connection);
test.after(async () => {
  sns.destroy();
  await world[Symbol.asyncDispose]();
});

let made = 0;
async function topic(attributes: Record<string, string> = {}): Promise<string> {
  const Name = `topic-${++made}${attributes['FifoTopic'] === 'true' ? '.fifo' : ''}`;
  return (await sns.send(new CreateTopicCommand({ Name, Attributes: attributes }))).TopicArn ?? '';
}

async function subscribe(arn: string, queue: string, attributes: Record<string, string> = {}): Promise<string> {
  const Endpoint = queue.startsWith('arn:') ? queue : await world.arn(queue);
  const subscribing = { TopicArn: arn, Protocol: 'sqs', Endpoint, Attributes: attributes, ReturnSubscriptionArn: true };
  return (await sns.send(new SubscribeCommand(subscribing))).SubscriptionArn ?? '';
}

const publish = (arn: string, message: string, more: Partial<PublishCommandInput> = {}) =>
  sns.send(new PublishCommand({ TopicArn: arn, Message: message, ...more }));
const raw = { RawMessageDelivery: 'true' };
const fifo = { FifoTopic: 'true' };
const text = (value: string) => ({ DataType: 'String', StringValue: value });
const number = (value: number) => ({ DataType: 'Number', StringValue: String(value) });

test('a wrapped delivery is a notification with subject and attributes in it', async () => {
  const [queue, arn] = [await world.standardQueue(), await topic()];
  await subscribe(arn, queue);
  const attributes = { a: text('v'), n: number(3) };
  const { MessageId } = await publish(arn, 'héllo 😀', { Subject: 's', MessageAttributes: attributes });
  const [message] = await world.receive(queue, { MessageAttributeNames: ['All'] });
  const envelope = JSON.parse(message?.Body ?? '');
  assert.is(message?.MessageAttributes, undefined);
  const { Type, Message, Subject, TopicArn } = envelope;
  assert.equal([Type, Message, Subject, TopicArn], ['Notification', 'héllo 😀', 's', arn]);
  assert.is(envelope.MessageId, MessageId);
  assert.equal(envelope.MessageAttributes, { a: { Type: 'String', Value: 'v' }, n: { Type: 'Number', Value: '3' } });
});

test('a raw delivery is the message itself with its attributes', async () => {
  const [queue, arn] = [await world.standardQueue(), await topic()];
  await subscribe(arn, queue, raw);
  const binary = { DataType: 'Binary', BinaryValue: Buffer.from([1, 200]) };
  await publish(arn, 'raw', { MessageAttributes: { a: text('v'), b: binary }, MessageGroupId: 'tenant' });
  const [message] = await world.receive(queue, { MessageAttributeNames: ['All'] });
  assert.is(message?.Body, 'raw');
  assert.is(message?.MessageAttributes?.['a']?.StringValue, 'v');
  assert.equal([...(message?.MessageAttributes?.['b']?.BinaryValue ?? [])], [1, 200]);
  assert.is(message?.Attributes?.MessageGroupId, 'tenant');
});

test('a FIFO topic keeps order and group, numbers its messages and answers duplicates with the original', async () => {
  const [one, two, arn] = [await world.fifoQueue(), await world.fifoQueue(), await topic(fifo)];
  await subscribe(arn, one, raw);
  await subscribe(arn, two);
  const send = (body: string, id: string) => publish(arn, body, { MessageGroupId: 'G', MessageDeduplicationId: id });
  const first = await send('1', 'd1');
  await send('2', 'd2');
  const duplicate = await send('other', 'd1');
  assert.match(first.SequenceNumber ?? '', /^\d{20}$/);
  assert.equal([duplicate.MessageId, duplicate.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  const received = await world.receive(one);
  assert.equal(bodies(received), ['1', '2']);
  assert.equal([...new Set(received.map(({ Attributes }) => Attributes?.MessageGroupId))], ['G']);
  const wrapped = (await world.receive(two)).map(({ Body }) => JSON.parse(Body ?? ''));
  assert.is(wrapped[0].SequenceNumber, first.SequenceNumber);
  assert.is(wrapped.length, 2);
  await world.remove(one, received);
  await world.advance(301_000);
  assert.is.not((await send('later', 'd1')).MessageId, first.MessageId);
});

test('a topic with deduplication per group delivers the same id once to each group', async () => {
  const perGroup = { DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' };
  const queue = await world.fifoQueue(perGroup);
  const arn = await topic({ ...fifo, FifoThroughputScope: 'MessageGroup' });
  await subscribe(arn, queue, raw);
  for (const group of ['A', 'B', 'A'])
    await publish(arn, group, { MessageGroupId: group, MessageDeduplicationId: 'd' });
  assert.equal(bodies(await world.receive(queue)), ['A', 'B']);
});

test('a batch keeps its order, tells each sequence number and fails entry by entry', async () => {
  const [queue, arn] = [await world.fifoQueue(), await topic(fifo)];
  await subscribe(arn, queue, raw);
  const entries = ['0', '1', '2'].map((Message, i) => ({
    Id: `e${i}`,
    Message,
    MessageDeduplicationId: Message,
    ...(i === 1 ? {} : { MessageGroupId: 'G' }),
  }));
  const sent = await sns.send(new PublishBatchCommand({ TopicArn: arn, PublishBatchRequestEntries: entries }));
  assert.equal(
    sent.Successful?.map(({ Id, SequenceNumber }) => [Id, SequenceNumber?.length]),
    [
      ['e0', 20],
      ['e2', 20],
    ],
  );
  assert.equal(
    sent.Failed?.map(({ Id, Code }) => [Id, Code]),
    [['e1', 'InvalidParameter']],
  );
  assert.equal(bodies(await world.receive(queue)), ['0', '2']);
});

test('a message whose queue is gone goes to the dead-letter queue of the subscription', async () => {
  const [queue, dlq, arn] = [await world.standardQueue(), await world.standardQueue(), await topic()];
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: await world.arn(dlq) });
  await subscribe(arn, queue, { ...raw, RedrivePolicy });
  await world.sqs.send(new DeleteQueueCommand({ QueueUrl: queue }));
  await publish(arn, 'orphan');
  assert.equal(bodies(await world.receive(dlq)), ['orphan']);
});

test('a changed filter policy holds for the next message', async () => {
  const [queue, arn] = [await world.standardQueue(), await topic()];
  const subscription = await subscribe(arn, queue, { ...raw, FilterPolicy: '{"k":["a"]}' });
  await sns.send(
    new SetSubscriptionAttributesCommand({
      SubscriptionArn: subscription,
      AttributeName: 'FilterPolicy',
      AttributeValue: '{"k":["b"]}',
    }),
  );
  for (const value of ['a', 'b']) await publish(arn, value, { MessageAttributes: { k: text(value) } });
  assert.equal(bodies(await world.receive(queue)), ['b']);
  const read = await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn: subscription }));
  assert.is(read.Attributes?.['FilterPolicy'], '{"k":["b"]}');
});

test('a filtered FIFO subscription keeps the order of what passes', async () => {
  const [queue, arn] = [await world.fifoQueue(), await topic(fifo)];
  await subscribe(arn, queue, { ...raw, FilterPolicy: '{"k":["odd"]}' });
  for (let i = 0; i < 6; i++) {
    const attributes = { k: text(i % 2 === 1 ? 'odd' : 'even') };
    await publish(arn, String(i), {
      MessageGroupId: 'G',
      MessageDeduplicationId: `${i}`,
      MessageAttributes: attributes,
    });
  }
  assert.equal(bodies(await world.receive(queue)), ['1', '3', '5']);
});

test('what AWS refuses to subscribe is refused', async () => {
  const [standard, fifoQueue, arn] = [await world.standardQueue(), await world.fifoQueue(), await topic()];
  assert.is(await errorOf(subscribe(arn, fifoQueue)), 'InvalidParameterException');
  assert.is(await errorOf(subscribe(arn, 'arn:garbage')), 'InvalidParameterException');
  for (const FilterPolicy of ['{bad', '[]', '{"k":"v"}', '{"k":[{"starts-with":"a"}]}']) {
    assert.is(await errorOf(subscribe(arn, standard, { FilterPolicy })), 'InvalidParameterException', FilterPolicy);
  }
});

test('MessageStructure json gives a queue its own text', async () => {
  const [queue, arn] = [await world.standardQueue(), await topic()];
  await subscribe(arn, queue, raw);
  await publish(arn, JSON.stringify({ default: 'd', sqs: 'for queues' }), { MessageStructure: 'json' });
  assert.equal(bodies(await world.receive(queue)), ['for queues']);
});

test('a traced topic hands the trace header on', async () => {
  const [queue, arn] = [await world.standardQueue(), await topic({ TracingConfig: 'Active' })];
  await subscribe(arn, queue, raw);
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';
  const command = new PublishCommand({ TopicArn: arn, Message: 'x' });
  command.middlewareStack.add(
    (next) => (args) => {
      Object.assign(Object(args.request).headers, { 'X-Amzn-Trace-Id': trace });
      return next(args);
    },
    { step: 'build' },
  );
  await sns.send(command);
  const [message] = await world.receive(queue);
  assert.is(message?.Attributes?.AWSTraceHeader, trace);
});

test.run();
