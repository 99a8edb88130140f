import { DeleteMessageCommand, GetQueueAttributesCommand, type Message } from '@aws-sdk/client-sqs';
import { PublishCommand } from '@aws-sdk/client-sns';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveAddresses } from '../core/clients/addresses.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { connectS3 } from '../core/clients/s3.ts';
import { connectSNS } from '../core/clients/sns.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { registerSchemaVersions } from '../core/database/schema-versions.ts';
import { registry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { createBodyHmac } from '../core/runtime/ids.ts';
import { silentLog } from '../core/runtime/log.ts';
import { attributesOf, receiveAll, sendBody } from '../core/testing/intake.ts';
import { createWorld } from '../core/testing/world.ts';
import { provision } from '../ops/local/provision.ts';
import type { AcceptableEvent } from './accept-rows.ts';
import { createAcceptBatches } from './accept-batch.ts';
import { createAdmission } from './admit.ts';
import { decode } from './decode.ts';
import { createDedupe } from './dedupe.ts';
import { toReceived } from './message.ts';
import { type BatchSummary, createPipeline } from './pipeline.ts';
import type { WakeEntry } from './wake-entries.ts';

const HMAC_KEY = 'a key for tests only';
const PRODUCTS = 'ProductSyncEventsQueue';
const PERFORMANCE = 'AnalyticsPerformanceProcessingQueue';

/** Real queues, a real database, and a wake that the test can make fail. */
async function setUp() {
  const world = await createWorld();
  const aws = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  const place = { region: 'eu-central-1', account: '000000000000' };
  await provision(aws, { registry, stack: world.stack, ...place });
  const topology = topologyOf(registry, world.stack);
  const addresses = await resolveAddresses(aws.sqs, topology, place);
  const { db } = world.postgres;
  const dedupe = createDedupe({ ...aws, table: `${world.stack}-dedupe`, clock, log: silentLog, dedupeDays: 90 });
  const batches = createAcceptBatches({ run: createAdmission({ db, dedupe, clock, purgeDays: 30 }), clock });
  const woken: WakeEntry[][] = [];
  const sleepy = new Set<string>();
  const wake = (entries: readonly WakeEntry[]) => {
    woken.push([...entries]);
    return Promise.resolve(entries.map((entry) => entry.merchantId).filter((merchant) => !sleepy.has(merchant)));
  };
  const time = { aheadMs: 0 };
  const movable = { ...clock, now: () => clock.now() + time.aheadMs };
  const pipelineOf = (name: string, overrides: Partial<Parameters<typeof createPipeline>[0]> = {}) => {
    const queue = topology.queues.find((each) => each.name === name);
    if (queue === undefined) throw new Error(`no queue ${name}`);
    return createPipeline({
      ...aws,
      queue,
      queueUrl: addresses.queueUrl(name),
      deadLetterUrl: addresses.queueUrl(queue.deadLetterQueue.name),
      bucket: `${world.stack}-dead-letters`,
      registry,
      db,
      hmacKey: HMAC_KEY,
      admit: batches.accept,
      wake,
      random: () => 1,
      clock: movable,
      log: silentLog,
      ...overrides,
    });
  };
  return {
    ...aws,
    stack: world.stack,
    db,
    time,
    woken,
    sleepy,
    batches,
    addresses,
    url: (name: string) => addresses.queueUrl(name),
    /** Receives what was sent and runs it through the pipeline of its queue. */
    async run(name: string, count: number, visibilitySeconds?: number): Promise<BatchSummary> {
      const messages = await receiveAll(aws.sqs, addresses.queueUrl(name), count, visibilitySeconds);
      return await pipelineOf(name).handleBatch(messages);
    },
    pipelineOf,
    /** Visible and invisible messages. */
    async left(name: string): Promise<number> {
      const { Attributes } = await aws.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: addresses.queueUrl(name), AttributeNames: ['All'] }),
      );
      return (
        Number(Attributes?.['ApproximateNumberOfMessages']) +
        Number(Attributes?.['ApproximateNumberOfMessagesNotVisible'])
      );
    },
    async inbox() {
      return await db.selectFrom('inbox').selectAll().orderBy('merchant_id').orderBy('mseq').execute();
    },
    async [Symbol.asyncDispose]() {
      await dedupe.flush();
      Object.values(aws).forEach((client) => client.destroy());
      await world[Symbol.asyncDispose]();
    },
  };
}

const product = (eventId: string, merchantId: string, productId = 'sku-1') =>
  JSON.stringify({
    eventId,
    eventType: 'ProductCoreDataUpdatedEvent',
    eventVersion: '1.0.0',
    timestamp: '2026-11-23T10:15:01Z',
    sourceService: 'CorePlatform',
    correlationId: `cor-${eventId}`,
    merchantId,
    payload: { productId, operationType: 'update', timestamp: '2026-11-23T10:15:00Z' },
  });

const performance = (eventId: string, metrics: Record<string, unknown> = {}) =>
  JSON.stringify({
    eventId,
    eventType: 'AdPerformanceDataIngestedEvent',
    eventVersion: '1.0.0',
    timestamp: '2026-11-23T06:00:01Z',
    sourceService: 'AdNetworkIntegrationService',
    correlationId: 'cor-1',
    merchantId: 'shop-1',
    payload: {
      adNetworkId: 'meta',
      reportDate: '2026-11-22',
      metricsPayload: { impressions: 10, clicks: 1, conversions: 0, spendMicros: 5, currency: 'EUR', ...metrics },
      timestamp: '2026-11-23T06:00:00Z',
    },
  });

test('events are accepted in order, their merchants woken with pointers, and then deleted', async () => {
  await using t = await setUp();
  for (const id of ['e1', 'e2', 'e3'])
    await sendBody(t.sqs, t.url(PRODUCTS), product(id, 'shop-1'), { group: 'shop-1' });
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-2'), { group: 'shop-2' });
  const summary = await t.run(PRODUCTS, 4);
  assert.equal(summary, { received: 4, accepted: 4, duplicates: 0, deadLettered: 0, redriven: 0, putBack: 0 });
  assert.equal(
    (await t.inbox()).map((row) => [row.merchant_id, row.mseq, row.event_id]),
    [
      ['shop-1', 1, 'e1'],
      ['shop-1', 2, 'e2'],
      ['shop-1', 3, 'e3'],
      ['shop-2', 1, 'e1'],
    ],
  );
  const [entries] = t.woken;
  assert.equal(
    entries?.find((entry) => entry.merchantId === 'shop-1'),
    {
      merchantId: 'shop-1',
      pointers: [1, 2, 3].map((mseq) => ({
        mseq,
        type: 'ProductCoreDataUpdatedEvent',
        correlationId: `cor-e${mseq}`,
      })),
      backlog: 3,
    },
  );
  assert.is(await t.left(PRODUCTS), 0);
});

test('raw and wrapped deliveries of SNS are both accepted, with the same bytes', async () => {
  await using t = await setUp();
  const body = performance('p1');
  await t.sns.send(
    new PublishCommand({
      TopicArn: t.addresses.topicArn('PerformanceDataTopic'),
      Message: body,
      MessageAttributes: { eventType: { DataType: 'String', StringValue: 'AdPerformanceDataIngestedEvent' } },
    }),
  );
  assert.is((await t.run(PERFORMANCE, 1)).accepted, 1);
  await sendBody(t.sqs, t.url(PERFORMANCE), JSON.stringify({ Type: 'Notification', TopicArn: 'arn', Message: body }));
  assert.is((await t.run(PERFORMANCE, 1)).duplicates, 1);
  const rows = await t.inbox();
  assert.is(rows.length, 1);
  assert.is(rows[0]?.body.toString('utf8'), body);
});

test('what is no event ends in the DLQ, body unchanged, with code, reason and path', async () => {
  await using t = await setUp();
  const bodies = ['no json 🛒', performance('p1', { clicks: 'many' }), performance('p2').replace('1.0.0', '7.0.0')];
  for (const body of bodies) await sendBody(t.sqs, t.url(PERFORMANCE), body);
  assert.equal(await t.run(PERFORMANCE, 3), {
    received: 3,
    accepted: 0,
    duplicates: 0,
    deadLettered: 3,
    redriven: 0,
    putBack: 0,
  });
  const letters = await receiveAll(t.sqs, t.url('AnalyticsPerformanceDLQ'), 3);
  const letterOf = (body: string | undefined) => letters.find((letter) => letter.Body === body);
  assert.is(attributesOf(letterOf(bodies[0]))['errorCode'], 'envelope.not_json');
  const invalid = attributesOf(letterOf(bodies[1]));
  assert.is(invalid['errorCode'], 'payload.invalid');
  assert.match(invalid['reason'] ?? '', /^payload\.metricsPayload\.clicks: /);
  assert.is(invalid['handler'], 'decode');
  assert.is(invalid['sourceQueue'], PERFORMANCE);
  assert.is(invalid['merchantId'], 'shop-1');
  assert.is(invalid['correlationId'], 'cor-1');
  assert.match(invalid['fingerprint'] ?? '', /^[0-9a-f]{16}$/);
  assert.is(attributesOf(letterOf(bodies[2]))['errorCode'], 'envelope.unsupported_version');
  assert.is(await t.left(PERFORMANCE), 0);
});

test('hostile merchant ids are either lanes of their own or dead letters, and harm no other', async () => {
  await using t = await setUp();
  const legal = ['a:b', '123', '../x', 'Größe GmbH', '商店', 'shop 🛒', '{x}', '__proto__', "'; drop table inbox; --"];
  const illegal = ['m'.repeat(300), '', 'a\u0000b', 'line\nbreak'];
  for (const [i, merchant] of [...legal, ...illegal].entries())
    await sendBody(t.sqs, t.url(PRODUCTS), product(`e${i}`, merchant), { group: `g${i}` });
  const summary = await t.run(PRODUCTS, legal.length + illegal.length);
  assert.is(summary.accepted, legal.length);
  assert.is(summary.deadLettered, illegal.length);
  const rows = await t.inbox();
  assert.equal(rows.map((row) => row.merchant_id).toSorted(), legal.toSorted());
  assert.ok(rows.every((row) => row.mseq === 1));
  assert.equal(
    t.woken
      .flat()
      .map((entry) => entry.merchantId)
      .toSorted(),
    legal.toSorted(),
  );
  const letters = await receiveAll(t.sqs, t.url('ProductSyncEventsDLQ'), illegal.length);
  assert.ok(letters.every((letter) => /merchantId: /.test(attributesOf(letter)['reason'] ?? '')));
  assert.is(await t.left(PRODUCTS), 0);
});

test('a duplicate is dropped, and the same id with other bytes is dead-lettered as a conflict', async () => {
  await using t = await setUp();
  const send = (body: string) => sendBody(t.sqs, t.url(PRODUCTS), body, { group: 'shop-1' });
  await send(product('e1', 'shop-1'));
  await send(product('e1', 'shop-1'));
  assert.equal(await t.run(PRODUCTS, 2), {
    received: 2,
    accepted: 1,
    duplicates: 1,
    deadLettered: 0,
    redriven: 0,
    putBack: 0,
  });
  await send(product('e1', 'shop-1', 'another-sku'));
  assert.is((await t.run(PRODUCTS, 1)).deadLettered, 1);
  const [letter] = await receiveAll(t.sqs, t.url('ProductSyncEventsDLQ'), 1);
  assert.is(attributesOf(letter)['errorCode'], 'dedupe.conflict');
  assert.is(attributesOf(letter)['handler'], 'dedupe');
  assert.is(letter?.Attributes?.MessageGroupId, 'shop-1');
  assert.is((await t.inbox()).length, 1);
});

test('a crash between commit and delete applies once, and the redelivery wakes the merchant again', async () => {
  await using t = await setUp();
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'), { group: 'shop-1' });
  const messages = await receiveAll(t.sqs, t.url(PRODUCTS), 1, 1);
  // The process dies after accepting: neither the wake nor the delete happened.
  await t.batches.accept([acceptableOf(messages[0])]);
  assert.is((await t.inbox()).length, 1);

  const summary = await t.run(PRODUCTS, 1);
  assert.is(summary.duplicates, 1);
  assert.equal(t.woken.flat(), [
    {
      merchantId: 'shop-1',
      pointers: [{ mseq: 1, type: 'ProductCoreDataUpdatedEvent', correlationId: 'cor-e1' }],
      backlog: 1,
    },
  ]);
  assert.is((await t.inbox()).length, 1);
  assert.is(await t.left(PRODUCTS), 0);
});

function acceptableOf(message: Message | undefined): AcceptableEvent {
  const queue = topologyOf(registry, 'any').queues.find((each) => each.name === PRODUCTS);
  if (message === undefined || queue === undefined) throw new Error('nothing to decode');
  const decoded = decode(toReceived(message), queue, registry);
  if (!decoded.ok) throw new Error(decoded.fault.message);
  return { ...decoded.event, bodyHmac: createBodyHmac(HMAC_KEY)(decoded.event.body) };
}

test('a merchant that could not be woken keeps its messages in SQS, in order; the others are deleted', async () => {
  await using t = await setUp();
  for (const id of ['e1', 'e2']) await sendBody(t.sqs, t.url(PRODUCTS), product(id, 'shop-1'), { group: 'shop-1' });
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-2'), { group: 'shop-2' });
  t.sleepy.add('shop-1');
  const summary = await t.run(PRODUCTS, 3, 600);
  assert.is(summary.putBack, 2);
  assert.is(await t.left(PRODUCTS), 2);

  // Back after its back-off of a second, not after the ten minutes for which it was taken.
  t.sleepy.clear();
  const again = await receiveAll(t.sqs, t.url(PRODUCTS), 2);
  assert.equal(
    again.map((message) => JSON.parse(message.Body ?? '').eventId),
    ['e1', 'e2'],
  );
  assert.is((await t.pipelineOf(PRODUCTS).handleBatch(again)).duplicates, 2);
  assert.is(await t.left(PRODUCTS), 0);
});

test('while Postgres fails nothing is deleted, but what is no event still reaches the DLQ', async () => {
  await using t = await setUp();
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'), { group: 'shop-1' });
  await sendBody(t.sqs, t.url(PRODUCTS), 'nonsense', { group: 'other' });
  await sql`alter table inbox rename to inbox_away`.execute(t.db);
  const summary = await t.run(PRODUCTS, 2);
  assert.equal(summary, { received: 2, accepted: 0, duplicates: 0, deadLettered: 1, redriven: 0, putBack: 1 });
  await sql`alter table inbox_away rename to inbox`.execute(t.db);
  assert.is((await t.run(PRODUCTS, 1)).accepted, 1);
});

test('a body that leaves no room for the attributes goes to the object store, and back through it', async () => {
  await using t = await setUp();
  const body = `{"filler":"${'x'.repeat(1_048_500)}"}`;
  await sendBody(t.sqs, t.url(PERFORMANCE), body);
  assert.is((await t.run(PERFORMANCE, 1)).deadLettered, 1);
  const [letter] = await receiveAll(t.sqs, t.url('AnalyticsPerformanceDLQ'), 1);
  const reference = JSON.parse(letter?.Body ?? '');
  assert.is(reference.bodyIn, 's3');
  assert.match(reference.key, /^dead-letters\/AnalyticsPerformanceProcessingQueue\/\d{4}-\d\d-\d\d\/[\w-]+$/);

  // Moved back, it is read again as what it was, and refused again for what it is.
  await sendBody(t.sqs, t.url(PERFORMANCE), letter?.Body ?? '', { attributes: attributesOf(letter) });
  assert.is((await t.run(PERFORMANCE, 1)).deadLettered, 1);
  const [again] = await receiveAll(t.sqs, t.url('AnalyticsPerformanceDLQ'), 1);
  assert.match(attributesOf(again)['reason'] ?? '', /^eventId: /);

  await sendBody(t.sqs, t.url(PERFORMANCE), JSON.stringify({ ...reference, key: 'dead-letters/gone' }), {
    attributes: attributesOf(letter),
  });
  assert.is((await t.run(PERFORMANCE, 1)).deadLettered, 1);
  const [gone] = await receiveAll(t.sqs, t.url('AnalyticsPerformanceDLQ'), 1);
  assert.match(attributesOf(gone)['reason'] ?? '', 'is gone from there');
});

test('a body that cannot be read now keeps what comes behind it in its group, and no other group', async () => {
  await using t = await setUp();
  const attributes = { handler: 'decode', fingerprint: 'f' };
  const reference = { bodyIn: 's3', bucket: `${t.stack}-dead-letters`, key: 'dead-letters/1' };
  await sendBody(t.sqs, t.url(PRODUCTS), JSON.stringify(reference), { group: 'shop-1', attributes });
  await sendBody(t.sqs, t.url(PRODUCTS), product('e2', 'shop-1'), { group: 'shop-1' });
  await sendBody(t.sqs, t.url(PRODUCTS), product('e3', 'shop-2'), { group: 'shop-2' });
  const away = connectS3();
  away.middlewareStack.add(() => () => Promise.reject(new Error('S3 is away')), { step: 'initialize' });
  const messages = await receiveAll(t.sqs, t.url(PRODUCTS), 3);
  const summary = await t.pipelineOf(PRODUCTS, { s3: away }).handleBatch(messages);
  away.destroy();
  assert.equal([summary.accepted, summary.putBack], [1, 2]);
  assert.equal(
    (await t.inbox()).map((row) => row.event_id),
    ['e3'],
  );
});

test('what refers to a place where no body can lie is dead, and not tried again', async () => {
  await using t = await setUp();
  const attributes = { handler: 'handleProductCoreUpdate', fingerprint: 'f' };
  const places = [
    { merchantId: 'a\u0000', day: '2026-12-01', mseq: 1 },
    { merchantId: 'm', day: '0000-01-01', mseq: 1 },
    { merchantId: 'm', day: '2026-12-01', mseq: 1 },
  ];
  for (const [n, place] of places.entries())
    await sendBody(t.sqs, t.url(PRODUCTS), JSON.stringify({ bodyIn: 'inbox', ...place }), {
      ...{ group: `g${n}`, attributes },
    });
  const summary = await t.run(PRODUCTS, places.length);
  assert.equal([summary.deadLettered, summary.putBack], [3, 0]);
});

test('a dead event that is moved back becomes one redrive command, and its lane is due', async () => {
  await using t = await setUp();
  const handler = 'handleProductCoreUpdate';
  const attributes = { handler, fingerprint: 'abc' };
  const send = (marker?: Record<string, string>) =>
    sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'), marker ? { attributes: marker } : {});
  await send();
  await t.run(PRODUCTS, 1);
  const redrives = () => t.db.selectFrom('redrives').selectAll().execute();

  // Nothing is dead: nothing to redrive.
  await send(attributes);
  assert.is((await t.run(PRODUCTS, 1)).redriven, 0);
  assert.equal(await redrives(), []);

  const [row] = await t.inbox();
  assert.ok(row);
  await t.db
    .insertInto('settlements')
    .values({
      merchant_id: 'shop-1',
      day: row.day,
      mseq: 1,
      handler,
      event_id: 'e1',
      outcome: 'dead',
      reason: 'handler.failed',
      settled_at: new Date(),
      worker: 'w',
      owner: 'o',
    })
    .execute();
  // Without the marker it is a duplicate like any other.
  await send();
  assert.is((await t.run(PRODUCTS, 1)).redriven, 0);

  await send(attributes);
  const messages = await receiveAll(t.sqs, t.url(PRODUCTS), 1);
  const pipeline = t.pipelineOf(PRODUCTS);
  assert.is((await pipeline.handleBatch(messages)).redriven, 1);
  await pipeline.handleBatch(messages);
  const commands = await redrives();
  assert.equal(
    commands.map((command) => [command.merchant_id, command.mseq, command.handler, command.requested_by]),
    [['shop-1', 1, handler, 'sqs-redrive']],
  );
  const lane = await t.db.selectFrom('lanes').selectAll().where('merchant_id', '=', 'shop-1').executeTakeFirstOrThrow();
  assert.ok(lane.due_at !== null && lane.due_at.getTime() <= Date.now());
  assert.is(t.woken.at(-1)?.[0]?.merchantId, 'shop-1');
});

test('moving back the dead letter of an effect re-arms its intent', async () => {
  await using t = await setUp();
  const handler = 'synchronizeCampaignStateWithAdNetworks';
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'));
  await t.run(PRODUCTS, 1);
  const [row] = await t.inbox();
  assert.ok(row);
  const now = new Date();
  const key = { merchant_id: 'shop-1', destination: 'ad-network:meta' };
  await t.db
    .insertInto('effect_lanes')
    .values({ ...key, owner: null, worker: null, due_at: null, updated_at: now })
    .execute();
  const intent = {
    ...key,
    version: 1,
    desired: '{}',
    content_hash: 'h',
    state: 'dead' as const,
    handler,
    event_type: 'any',
    mseq: 1,
    day: row.day,
    correlation_id: 'c',
    traceparent: 't',
    deadline_ms: 1_000,
    attempt: 4,
    not_before: null,
    sent_version: null,
    sent_hash: null,
    sent_at: null,
    external_id: null,
    created_at: now,
    updated_at: now,
  };
  await t.db
    .insertInto('intents')
    .values([
      { ...intent, object_key: 'mine', event_id: 'e1' },
      { ...intent, object_key: 'of-another-event', event_id: 'e2' },
    ])
    .execute();
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'), {
    attributes: { handler: `${handler}@ad-network:meta`, fingerprint: 'abc' },
  });
  assert.is((await t.run(PRODUCTS, 1)).redriven, 1);
  const intents = await t.db
    .selectFrom('intents')
    .select(['object_key', 'state', 'attempt'])
    .orderBy('object_key')
    .execute();
  assert.equal(intents, [
    { object_key: 'mine', state: 'pending', attempt: 0 },
    { object_key: 'of-another-event', state: 'dead', attempt: 4 },
  ]);
  const lane = await t.db.selectFrom('effect_lanes').selectAll().executeTakeFirstOrThrow();
  assert.ok(lane.due_at !== null);
});

test('what only a registered release reads waits in SQS, with its group behind it, and is given up after 15 minutes', async () => {
  await using t = await setUp();
  await registerSchemaVersions(
    t.db,
    new Map(
      [...registry].map(([name, event]) => [
        name,
        { ...event, versions: [{ ...event.versions[0], version: '9.1.0' }] },
      ]),
    ),
    clock.now(),
  );
  const ahead = product('e2', 'shop-1').replace('"eventVersion":"1.0.0"', '"eventVersion":"9.0.0"');
  const unheard = product('e9', 'shop-3').replace('"eventVersion":"1.0.0"', '"eventVersion":"8.0.0"');
  for (const body of [product('e1', 'shop-1'), ahead, product('e3', 'shop-1')])
    await sendBody(t.sqs, t.url(PRODUCTS), body, { group: 'shop-1' });
  await sendBody(t.sqs, t.url(PRODUCTS), product('e4', 'shop-2'), { group: 'shop-2' });
  await sendBody(t.sqs, t.url(PRODUCTS), unheard, { group: 'shop-3' });
  const summary = await t.run(PRODUCTS, 5);
  assert.equal(summary, { received: 5, accepted: 2, duplicates: 0, deadLettered: 1, redriven: 0, putBack: 2 });
  assert.equal(
    (await t.inbox()).map((row) => row.event_id),
    ['e1', 'e4'],
  );
  assert.match(
    attributesOf((await receiveAll(t.sqs, t.url('ProductSyncEventsDLQ'), 1))[0])['reason'] ?? '',
    /8\.0\.0 cannot be read, known are 1\.0\.0, 2\.0\.0; no release has registered it/,
  );
  t.time.aheadMs = 14 * 60_000;
  assert.is((await t.run(PRODUCTS, 2)).putBack, 2);
  t.time.aheadMs = 16 * 60_000;
  const late = await t.run(PRODUCTS, 2);
  assert.equal([late.deadLettered, late.accepted], [1, 1]);
  assert.match(
    attributesOf((await receiveAll(t.sqs, t.url('ProductSyncEventsDLQ'), 1))[0])['reason'] ?? '',
    /it is registered, but nobody who reads it came in 15 min/,
  );
});

test('a message whose receipt was taken over is not deleted by its late first receiver, and is harmless', async () => {
  await using t = await setUp();
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'));
  const late = await receiveAll(t.sqs, t.url(PRODUCTS), 1, 1);
  const second = await receiveAll(t.sqs, t.url(PRODUCTS), 1);
  assert.is((await t.pipelineOf(PRODUCTS).handleBatch(late)).accepted, 1);
  assert.is((await t.pipelineOf(PRODUCTS).handleBatch(second)).duplicates, 1);
  await t.sqs.send(
    new DeleteMessageCommand({ QueueUrl: t.url(PRODUCTS), ReceiptHandle: second[0]?.ReceiptHandle ?? '' }),
  );
  assert.is((await t.inbox()).length, 1);
  assert.is(await t.left(PRODUCTS), 0);
});

test.run();
