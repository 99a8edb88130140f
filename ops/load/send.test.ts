import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { createWorld } from '../../core/testing/world.ts';
import { generateLoad } from './generate.ts';
import type { LoadEvent } from './load-event.ts';
import { sendLoad } from './send.ts';

const startMs = Date.parse('2026-11-23T10:00:00.000Z');

async function setup() {
  const world = await createWorld();
  const [sqs, sns] = [connectSQS(), connectSNS()];
  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({
      QueueName: `${world.stack}.fifo`,
      Attributes: { FifoQueue: 'true', VisibilityTimeout: '300' },
    }),
  );
  const products = [...generateLoad({ seed: 21, events: 600, merchants: 9, startMs })].filter(
    ({ name }) => name === 'ProductSyncEventsQueue',
  );
  return {
    sqs,
    sns,
    url: QueueUrl,
    products,
    async [Symbol.asyncDispose]() {
      sqs.destroy();
      sns.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function receiveAll(sqs: SQSClient, url: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }));
    if (Messages.length === 0) return bodies;
    bodies.push(...Messages.map(({ Body = '' }) => Body));
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: url,
        Entries: Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
      }),
    );
  }
}

const orderPerMerchant = (bodies: readonly string[]) =>
  Object.fromEntries(
    [...Map.groupBy(bodies, (body) => String(JSON.parse(body).merchantId))].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

const bodiesOf = (load: readonly LoadEvent[]) => load.map(({ body }) => body);

test('each merchant finds its events in the queue in the order of the load', async () => {
  await using world = await setup();
  const sent = await sendLoad(world.products, {
    sqs: world.sqs,
    sns: world.sns,
    queues: { ProductSyncEventsQueue: world.url },
    topics: {},
  });
  assert.is(sent.length, world.products.length);
  const expected = orderPerMerchant(bodiesOf(world.products));
  assert.equal(orderPerMerchant(await receiveAll(world.sqs, world.url)), expected);
  assert.equal(orderPerMerchant(bodiesOf(sent)), expected);
});

test('entries that are refused, and calls that fail, are sent again without being overtaken', async () => {
  await using world = await setup();
  let calls = 0;
  // Refuses every third entry and fails every fifth call before it is made; the rest goes to the real endpoint.
  const flaky = new Proxy(world.sqs, {
    get: (target, property) =>
      property !== 'send'
        ? Reflect.get(target, property)
        : async (command: { input: { Entries: { Id: string }[] } }) => {
            calls += 1;
            if (calls % 5 === 0) throw new Error('connection reset');
            const refused = command.input.Entries.filter((_, index) => (index + calls) % 3 === 0);
            command.input.Entries = command.input.Entries.filter((entry) => !refused.includes(entry));
            if (command.input.Entries.length > 0) await target.send(command as never);
            return { Failed: refused.map(({ Id }) => ({ Id })) };
          },
  });
  const load = world.products.slice(0, 60);
  const sent = await sendLoad(load, {
    sqs: flaky,
    sns: world.sns,
    queues: { ProductSyncEventsQueue: world.url },
    topics: {},
  });
  assert.is(sent.length, load.length);
  const expected = orderPerMerchant(bodiesOf(load));
  assert.equal(orderPerMerchant(await receiveAll(world.sqs, world.url)), expected);
  assert.equal(orderPerMerchant(bodiesOf(sent)), expected);
});

test.run();
