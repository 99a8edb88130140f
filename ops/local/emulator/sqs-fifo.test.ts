import { SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bodies, emulatorWorld, errorOf } from './testing-world.ts';

const world = await emulatorWorld();
test.after(() => world[Symbol.asyncDispose]());

const minute = 60_000;

test('one receive takes up to ten messages of a group, in order', async () => {
  const queue = await world.fifoQueue();
  for (let i = 0; i < 12; i++) await world.sendTo(queue, 'A', `a${i}`);
  assert.equal(bodies(await world.receive(queue)), ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9']);
});

test('a group with messages in flight is locked, other groups flow', async () => {
  const queue = await world.fifoQueue();
  for (const body of ['a1', 'a2', 'a3']) await world.sendTo(queue, 'A', body);
  const first = await world.receive(queue, { MaxNumberOfMessages: 2 });
  assert.equal(bodies(first), ['a1', 'a2']);
  await world.sendTo(queue, 'B', 'b1');
  assert.equal(bodies(await world.receive(queue)), ['b1']);
  await world.remove(queue, first.slice(0, 1));
  assert.equal(bodies(await world.receive(queue)), []);
  await world.remove(queue, first.slice(1));
  assert.equal(bodies(await world.receive(queue)), ['a3']);
});

test('messages whose visibility ran out come back in their old places', async () => {
  const queue = await world.fifoQueue({ VisibilityTimeout: '30' });
  for (const body of ['1', '2', '3', '4']) await world.sendTo(queue, 'A', body);
  const taken = await world.receive(queue, { MaxNumberOfMessages: 3 });
  await world.remove(queue, taken.slice(1, 2));
  await world.advance(31_000);
  const again = await world.receive(queue);
  assert.equal(bodies(again), ['1', '3', '4']);
  assert.is(again[0]?.Attributes?.ApproximateReceiveCount, '2');
});

test('a group that was just served waits for its turn', async () => {
  const queue = await world.fifoQueue();
  for (let i = 0; i < 12; i++) await world.sendTo(queue, 'hot', `h${i}`);
  await world.sendTo(queue, 'cold', 'c0');
  await world.remove(queue, await world.receive(queue));
  assert.equal(bodies(await world.receive(queue)), ['c0', 'h10', 'h11']);
});

test('a duplicate within five minutes is answered with its original, also after the original was deleted', async () => {
  const queue = await world.fifoQueue();
  const original = await world.sendTo(queue, 'A', 'once', { MessageDeduplicationId: 'd' });
  await world.remove(queue, await world.receive(queue));
  await world.advance(4 * minute);
  const duplicate = await world.sendTo(queue, 'A', 'twice', { MessageDeduplicationId: 'd' });
  assert.is(duplicate.MessageId, original.MessageId);
  assert.is(duplicate.SequenceNumber, original.SequenceNumber);
  assert.equal(bodies(await world.receive(queue)), []);
  await world.advance(minute + 1_000);
  await world.sendTo(queue, 'A', 'later', { MessageDeduplicationId: 'd' });
  assert.equal(bodies(await world.receive(queue)), ['later']);
});

test('the dedupe window has no cap but time', async () => {
  const queue = await world.fifoQueue();
  await world.sendTo(queue, 'A', 'first', { MessageDeduplicationId: 'first' });
  const many = Array.from({ length: 10_010 }, (_, i) => ({ group: `g${i % 50}`, id: `x${i}`, body: 'x' }));
  await Promise.all(
    [0, 1, 2, 3].map((part) =>
      world.sendMany(
        queue,
        many.filter((_, i) => i % 4 === part),
      ),
    ),
  );
  await world.sendTo(queue, 'A', 'first', { MessageDeduplicationId: 'first' });
  assert.is(await world.attribute(queue, 'ApproximateNumberOfMessages'), '10011');
});

test('the same deduplication id in two groups is two messages where the scope is the group', async () => {
  const queue = await world.fifoQueue();
  await world.sqs.send(
    new SetQueueAttributesCommand({
      QueueUrl: queue,
      Attributes: { DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' },
    }),
  );
  assert.is(await world.attribute(queue, 'FifoThroughputLimit'), 'perMessageGroupId');
  for (const group of ['A', 'B', 'A']) await world.sendTo(queue, group, group, { MessageDeduplicationId: 'd' });
  assert.equal(bodies(await world.receive(queue)), ['A', 'B']);
});

test('throughput per group is refused without deduplication per group, and both on a standard queue', async () => {
  const perGroup = { FifoThroughputLimit: 'perMessageGroupId' };
  assert.is(await errorOf(world.fifoQueue(perGroup)), 'InvalidAttributeValue');
  assert.is(await errorOf(world.standardQueue({ DeduplicationScope: 'queue' })), 'InvalidAttributeName');
});

test('the deduplication id is the hash of the body where the queue says so, else it is required', async () => {
  const byContent = await world.fifoQueue({ ContentBasedDeduplication: 'true' });
  for (const body of ['same', 'same', 'other']) await world.send(byContent, body, { MessageGroupId: 'A' });
  assert.equal(bodies(await world.receive(byContent)), ['same', 'other']);
  const plain = await world.fifoQueue();
  assert.is(await errorOf(world.send(plain, 'x', { MessageGroupId: 'A' })), 'InvalidParameterValue');
  assert.is(await errorOf(world.send(plain, 'x', { MessageDeduplicationId: 'd' })), 'MissingParameter');
});

test('sequence numbers have 20 digits, grow, and travel with group, deduplication id and trace header', async () => {
  const queue = await world.fifoQueue();
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';
  const sent = await world.sendTo(queue, 'A', '1', {
    MessageDeduplicationId: 'd1',
    MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: trace } },
  });
  await world.sendTo(queue, 'A', '2');
  const [first, second] = await world.receive(queue);
  assert.match(first?.Attributes?.SequenceNumber ?? '', /^\d{20}$/);
  assert.is(first?.Attributes?.SequenceNumber, sent.SequenceNumber);
  assert.ok((second?.Attributes?.SequenceNumber ?? '') > (first?.Attributes?.SequenceNumber ?? ''));
  assert.is(first?.Attributes?.MessageGroupId, 'A');
  assert.is(first?.Attributes?.MessageDeduplicationId, 'd1');
  assert.is(first?.Attributes?.AWSTraceHeader, trace);
});

test('nothing overtakes a delayed message of its group', async () => {
  const queue = await world.fifoQueue({ DelaySeconds: '60' });
  await world.sendTo(queue, 'A', '1');
  await world.sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue, Attributes: { DelaySeconds: '0' } }));
  await world.sendTo(queue, 'A', '2');
  await world.sendTo(queue, 'B', 'b');
  const other = await world.receive(queue);
  assert.equal(bodies(other), ['b']);
  await world.remove(queue, other);
  await world.advance(61_000);
  assert.equal(bodies(await world.receive(queue)), ['1', '2']);
});

test('eight consumers see every group in order and never two at once in the same group', async () => {
  const queue = await world.fifoQueue();
  const groups = Array.from({ length: 40 }, (_, i) => `g${i}`);
  for (let round = 0; round < 10; round++) {
    await world.sendMany(
      queue,
      groups.map((group) => ({ group, id: `${group}-${round}`, body: String(round) })),
    );
  }
  const seen = new Map<string, string[]>();
  const busy = new Set<string>();
  let left = groups.length * 10;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left > 0) {
        const messages = await world.receive(queue);
        const taken = new Set(messages.map((message) => message.Attributes?.MessageGroupId ?? ''));
        for (const group of taken) {
          assert.not(busy.has(group), `${group} is with two consumers`);
          busy.add(group);
        }
        for (const message of messages) {
          const group = message.Attributes?.MessageGroupId ?? '';
          seen.set(group, [...(seen.get(group) ?? []), message.Body ?? '']);
        }
        // Before the deletion opens them to the others.
        for (const group of taken) busy.delete(group);
        await world.remove(queue, messages);
        left -= messages.length;
      }
    }),
  );
  for (const group of groups) assert.equal(seen.get(group), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
});

test.run();
