import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type OutboxRelayOptions, createOutboxRelay } from './outbox-relay.ts';
import { connectSNS } from '../core/clients/sns.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { type OutboxRow, appendOutbox } from '../core/database/outbox.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { newId } from '../core/runtime/ids.ts';
import { silentLog } from '../core/runtime/log.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { type World, createWorld } from '../core/testing/world.ts';

interface Setup extends AsyncDisposable {
  world: World;
  sqs: SQSClient;
  queues: Record<string, string>;
  topics: Record<string, string>;
  createQueue(name: string, fifo: boolean): Promise<string>;
  append(...rows: OutboxRow[]): Promise<void>;
  relay(options?: Partial<OutboxRelayOptions>): AsyncDisposable & ReturnType<typeof createOutboxRelay>;
  sns: ReturnType<typeof connectSNS>;
}

async function setup(): Promise<Setup> {
  const world = await createWorld();
  const sqs = connectSQS();
  const sns = connectSNS();
  const queues: Record<string, string> = {};
  const topics: Record<string, string> = {};
  return {
    world,
    sqs,
    sns,
    queues,
    topics,
    async createQueue(name, fifo) {
      const created = await sqs.send(
        new CreateQueueCommand({
          QueueName: `${world.stack}-${name}${fifo ? '.fifo' : ''}`,
          ...(fifo ? { Attributes: { FifoQueue: 'true' } } : {}),
        }),
      );
      queues[name] = created.QueueUrl ?? '';
      return created.QueueUrl ?? '';
    },
    append: (...rows) => world.postgres.db.transaction().execute((trx) => appendOutbox(trx, rows, systemClock.now())),
    relay(options = {}) {
      const relay = createOutboxRelay({
        db: world.postgres.db,
        sqs,
        sns,
        addresses: { queues, topics },
        worker: 'test',
        clock: systemClock,
        log: silentLog,
        idle: { fromMs: 20, toMs: 50 },
        ...options,
      });
      relay.start();
      return Object.assign(relay, { [Symbol.asyncDispose]: () => relay.stop() });
    },
    async [Symbol.asyncDispose]() {
      sqs.destroy();
      sns.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}

const row = (merchantId: string, body: string, changes: Partial<OutboxRow> = {}): OutboxRow => {
  const eventId = newId();
  return {
    eventId,
    eventType: 'ProductCoreDataUpdatedEvent',
    merchantId,
    destination: 'queue:Q',
    attributes: { eventType: 'ProductCoreDataUpdatedEvent', merchantId },
    body: Buffer.from(body),
    stream: 'events',
    deduplicationId: eventId,
    ...changes,
  };
};

/** Receives and deletes until `count` messages came. */
async function drain(sqs: SQSClient, url: string, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  await waitFor(`${count} messages`, async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    messages.push(...Messages);
    if (Messages.length > 0) {
      const entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries: entries }));
    }
    return messages.length >= count;
  });
  return messages;
}

const bodiesOf = (messages: readonly Message[], merchantId: string) =>
  messages.filter((m) => m.Attributes?.MessageGroupId === merchantId).map((m) => m.Body);

const states = async ({ world }: Setup) =>
  (await world.postgres.db.selectFrom('outbox').select(['state']).execute()).map((r) => r.state);

/**
 * The far end of the network, where it may throttle: entries for which `refuse` says so are not sent on and reported as
 * failed. `seen` gets the merchants of each batch while it is on its way.
 */
const throttlingSqs = (sqs: SQSClient, refuse: (body: string) => boolean): SQSClient => {
  const send = async (command: unknown, options: { abortSignal: AbortSignal }) => {
    if (!(command instanceof SendMessageBatchCommand)) throw new Error('only sends are expected here');
    const entries = command.input.Entries ?? [];
    const refused = entries.filter((entry) => refuse(entry.MessageBody ?? ''));
    const passed = entries.filter((entry) => !refused.includes(entry));
    const answer =
      passed.length === 0
        ? { Successful: [], Failed: [] }
        : await sqs.send(new SendMessageBatchCommand({ ...command.input, Entries: passed }), options);
    const failed = refused.map(({ Id }) => ({ Id, Code: 'RequestThrottled', SenderFault: true }));
    return { Successful: answer.Successful, Failed: [...(answer.Failed ?? []), ...failed] };
  };
  // The relay calls nothing but `send`.
  return { send } as unknown as SQSClient;
};

test('a throttled entry is not overtaken by its merchant’s next, and holds up no other merchant', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  await s.append(...['a', 'b'].flatMap((m) => [1, 2, 3, 4].map((n) => row(m, `${m}${n}`))));
  const refusals = new Map([
    ['a1', 3],
    ['a3', 1],
  ]);
  let bSentWhileAWaits = false;
  const sqs = throttlingSqs(s.sqs, (body) => {
    const left = refusals.get(body) ?? 0;
    refusals.set(body, left - 1);
    if (body === 'b4') bSentWhileAWaits = (refusals.get('a1') ?? 0) > 0;
    return left > 0;
  });
  await using _ = s.relay({ sqs, random: () => 0 });
  const messages = await drain(s.sqs, url, 8);
  assert.equal(bodiesOf(messages, 'a'), ['a1', 'a2', 'a3', 'a4']);
  assert.equal(bodiesOf(messages, 'b'), ['b1', 'b2', 'b3', 'b4']);
  assert.ok(bSentWhileAWaits);
});

test('at most one row of a merchant’s stream is on its way at a time', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  await s.append(...Array.from({ length: 30 }, (_, n) => row(`m${n % 3}`, `${n}`)));
  const onTheWay = new Set<string>();
  let most = 0;
  const watched = {
    async send(command: SendMessageBatchCommand, options: { abortSignal: AbortSignal }) {
      const groups = (command.input.Entries ?? []).map((entry) => entry.MessageGroupId ?? '');
      for (const group of groups) {
        assert.not(onTheWay.has(group));
        onTheWay.add(group);
      }
      most = Math.max(most, onTheWay.size);
      const answer = await s.sqs.send(command, options);
      for (const group of groups) onTheWay.delete(group);
      return answer;
    },
  };
  // The relay calls nothing but `send`.
  await using _ = s.relay({ sqs: watched as unknown as SQSClient });
  const messages = await drain(s.sqs, url, 30);
  assert.is(most, 3);
  assert.equal(bodiesOf(messages, 'm1'), ['1', '4', '7', '10', '13', '16', '19', '22', '25', '28']);
});

test('two relays share the shards, and one that stops hands its own over, in order and without loss', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  const merchants = Array.from({ length: 20 }, (_, n) => `shop${n}`);
  const wave = (from: number) => s.append(...[0, 1, 2].flatMap((n) => merchants.map((m) => row(m, `${from + n}`))));
  await wave(0);
  const first = s.relay({ leaseMs: 600 });
  await using second = s.relay({ leaseMs: 600 });
  await waitFor('a fair share for both', () => first.shards().length === 8 && second.shards().length === 8);
  await wave(3);
  await first.stop();
  await wave(6);
  const messages = await drain(s.sqs, url, 180);
  for (const merchant of merchants)
    assert.equal(bodiesOf(messages, merchant), ['0', '1', '2', '3', '4', '5', '6', '7', '8'], merchant);
  await waitFor('all shards', () => second.shards().length === 16);
});

test('rows that no queue takes end as unsendable, and what follows them is sent', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  await s.append(
    row('a', 'not allowed: \u0001'),
    row('a', 'x'.repeat(1_100_000)),
    row('a', 'after'),
    row('b', 'beside'),
  );
  await using _ = s.relay();
  const messages = await drain(s.sqs, url, 2);
  assert.equal(bodiesOf(messages, 'a'), ['after']);
  assert.equal(bodiesOf(messages, 'b'), ['beside']);
  await waitFor('all rows at their end', async () => !(await states(s)).includes('pending'));
  const ended = await s.world.postgres.db
    .selectFrom('outbox')
    .select(['seq', 'state', 'last_error'])
    .where('merchant_id', '=', 'a')
    .orderBy('seq')
    .execute();
  assert.equal(
    ended.map((r) => r.state),
    ['unsendable', 'unsendable', 'sent'],
  );
  assert.ok(ended[0]?.last_error);
});

test('a destination that cannot be reached holds up neither others nor the dead letters of its merchants', async () => {
  await using s = await setup();
  const url = await s.createQueue('DLQ', true);
  await s.createQueue('Other', false);
  await s.append(
    row('a', 'waits', { destination: 'queue:Missing' }),
    row('a', 'dead', { destination: 'queue:DLQ', stream: 'dead-letters' }),
    row('b', 'other', { destination: 'queue:Other' }),
  );
  await using _ = s.relay();
  assert.equal(
    (await drain(s.sqs, url, 1)).map((m) => m.Body),
    ['dead'],
  );
  assert.equal(
    (await drain(s.sqs, s.queues['Other'] ?? '', 1)).map((m) => m.Body),
    ['other'],
  );
  await waitFor('two sent', async () => (await states(s)).filter((state) => state === 'sent').length === 2);
  await s.createQueue('Missing', true);
  assert.equal(
    (await drain(s.sqs, s.queues['Missing'] ?? '', 1)).map((m) => m.Body),
    ['waits'],
  );
});

test('on FIFO routes the merchant is the group and the row says what is a duplicate, whatever the merchant is called', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  await s.append(
    row('käse:{1}', 'one', { deduplicationId: 'same' }),
    row('käse:{1}', 'one', { deduplicationId: 'same' }),
    row('käse:{1}', 'two', { deduplicationId: 'other' }),
  );
  await using _ = s.relay();
  const messages = await drain(s.sqs, url, 2);
  assert.equal(
    messages.map((m) => m.Body),
    ['one', 'two'],
  );
  assert.is(messages[0]?.Attributes?.MessageGroupId, 'k~C3~A4se~3A~7B1~7D');
  assert.is(messages[0]?.Attributes?.MessageDeduplicationId, 'same');
  const left = await s.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['ApproximateNumberOfMessages'] }),
  );
  assert.is(left.Attributes?.ApproximateNumberOfMessages, '0');
});

test('events to a topic carry the attributes that subscriptions filter on', async () => {
  await using s = await setup();
  const url = await s.createQueue('Sub', false);
  const topic = await s.sns.send(new CreateTopicCommand({ Name: `${s.world.stack}-T` }));
  s.topics['T'] = topic.TopicArn ?? '';
  const attributes = await s.sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }));
  await s.sns.send(
    new SubscribeCommand({
      TopicArn: topic.TopicArn,
      Protocol: 'sqs',
      Endpoint: attributes.Attributes?.QueueArn,
      Attributes: { RawMessageDelivery: 'true', FilterPolicy: JSON.stringify({ eventType: ['Wanted'] }) },
    }),
  );
  await s.append(
    row('a', 'no', { destination: 'topic:T', attributes: { eventType: 'Unwanted' } }),
    row('a', 'yes', { destination: 'topic:T', attributes: { eventType: 'Wanted', empty: '' } }),
  );
  await using _ = s.relay();
  const messages = await drain(s.sqs, url, 1);
  assert.equal(
    messages.map((m) => m.Body),
    ['yes'],
  );
  assert.is(messages[0]?.MessageAttributes?.['eventType']?.StringValue, 'Wanted');
});

test('a nudge after a commit is enough, without waiting for the next look', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  await using relay = s.relay({ idle: { fromMs: 3_600_000, toMs: 3_600_000 } });
  await waitFor('shards', () => relay.shards().length === 16);
  await s.append(row('a', 'now'));
  relay.nudge();
  assert.equal(
    (await drain(s.sqs, url, 1)).map((m) => m.Body),
    ['now'],
  );
});

test('a batch stays below the size that a call may have', async () => {
  await using s = await setup();
  const url = await s.createQueue('Q', true);
  await s.append(...Array.from({ length: 6 }, (_, n) => row(`m${n}`, 'y'.repeat(400_000))));
  await using _ = s.relay();
  assert.is((await drain(s.sqs, url, 6)).length, 6);
  await waitFor('marked', async () => (await states(s)).every((state) => state === 'sent'));
  const tries = await sql<{ n: number }>`select sum(attempts) as n from outbox`.execute(s.world.postgres.db);
  assert.is(tries.rows[0]?.n, 0);
});

test.run();
