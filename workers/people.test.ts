import { createServer } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { workLane } from './act.ts';
import { createAcceptBatches } from './accept-batch.ts';
import { createAdmission } from './admit.ts';
import { createDedupe } from './dedupe.ts';
import { createLanes } from './lanes.ts';
import { createOutboxRelay } from './outbox-relay.ts';
import { createPipeline } from './pipeline.ts';
import { each } from './testing/one-event-system.ts';
import { testActor, testEvent } from './testing/test-event.ts';
import { resolveAddresses } from '../core/clients/addresses.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { connectS3 } from '../core/clients/s3.ts';
import { connectSNS } from '../core/clients/sns.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { attributeAffiliateConversion } from '../core/contexts/affiliates/attribute-affiliate-conversion.ts';
import { affiliateConversionAttributionRequiredEvent } from '../core/contexts/affiliates/events.ts';
import { saveAffiliate } from '../core/contexts/affiliates/writes.ts';
import { notificationDispatchRequestedEvent } from '../core/contexts/notifications/events.ts';
import { deliverThirdPartyAppWebhook } from '../core/contexts/webhooks/deliver-third-party-app-webhook.ts';
import { createWebhookDriver } from '../core/contexts/webhooks/driver.ts';
import { thirdPartyAppWebhookEvent } from '../core/contexts/webhooks/events.ts';
import { createEndpoint } from '../core/contexts/webhooks/writes.ts';
import type { EventDefinition } from '../core/events/definition.ts';
import { type HandlerModule, done } from '../core/events/handler.ts';
import { createRegistry } from '../core/events/registry.ts';
import { type QueueTopology, topologyOf } from '../core/events/topology.ts';
import { eraseSubject } from '../core/people/subject-keys.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { silentLog } from '../core/runtime/log.ts';
import { receiveAll, sendBody } from '../core/testing/intake.ts';
import { testKeyring as keyring } from '../core/testing/keyring.ts';
import { searchDynamo, searchPostgres, searchRedis, searchS3 } from '../core/testing/search-stores.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { provision } from '../ops/local/provision.ts';

const SECRET = 'Wilhelmina Quartz, 4 Harbour Street';
const PLAIN = 'a remark about nobody';
const about = z.looseObject({ customerId: z.string() });

/** The path of events from their queue to their end. */
async function setUp(events: readonly [EventDefinition, ...EventDefinition[]], modules: Record<string, HandlerModule>) {
  const world = await createWorld();
  const { db, pool } = world.postgres;
  const aws = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  const redis = connectRedis(world.redisUrl, world.stack);
  const registry = createRegistry(events);
  const { deps } = testActor(pool, events[0], modules);
  const place = { region: 'eu-central-1', account: '000000000000' };
  await provision(aws, { registry, stack: world.stack, ...place });
  const topology = topologyOf(registry, world.stack);
  const addresses = await resolveAddresses(aws.sqs, topology, place);
  const dedupe = createDedupe({ ...aws, table: `${world.stack}-dedupe`, clock, log: silentLog, dedupeDays: 90 });
  const batches = createAcceptBatches({ run: createAdmission({ db, dedupe, clock, purgeDays: 30 }), clock });
  const lanes = createLanes({ redis, prefix: world.stack, cap: 100, memoryShare: () => 0, clock, log: silentLog });
  const pipelineOf = (queue: QueueTopology, urls: { queueUrl: string; deadLetterUrl: string }) =>
    createPipeline({
      ...aws,
      queue,
      ...urls,
      bucket: `${world.stack}-dead-letters`,
      registry,
      db,
      keyring,
      hmacKey: 'a key for tests only',
      admit: batches.accept,
      wake: async (entries) => {
        await lanes.addPointers(entries);
        return entries.map((entry) => entry.merchantId);
      },
      random: () => 1,
      clock,
      log: silentLog,
    });
  const pipelines = topology.queues.map((queue) => {
    const queueUrl = addresses.queueUrl(queue.name);
    const deadLetterUrl = addresses.queueUrl(queue.deadLetterQueue.name);
    return { ...queue, queueUrl, deadLetterUrl, pipeline: pipelineOf(queue, { queueUrl, deadLetterUrl }) };
  });
  const pathOf = (eventType: string) => {
    const path = pipelines.find(({ name }) => name.includes(registry.get(eventType)?.queue ?? '?'));
    if (path === undefined) throw new Error(`${eventType} has no queue`);
    return path;
  };
  return {
    db,
    /** Sends events of shop-1, all of one type, and takes them in. */
    async take(
      eventType: string,
      sent: readonly { n: number; payload: Record<string, unknown>; at?: string | undefined }[],
    ) {
      const { queueUrl, pipeline } = pathOf(eventType);
      for (const { n, at = new Date(clock.now()).toISOString(), payload } of sent)
        await sendBody(
          aws.sqs,
          queueUrl,
          JSON.stringify({
            eventId: `e-${n}`,
            eventType,
            eventVersion: '1.0.0',
            timestamp: at,
            sourceService: 'test',
            correlationId: `cor-${n}`,
            merchantId: 'shop-1',
            payload,
          }),
          { group: 'shop-1' },
        );
      const summary = await pipeline.handleBatch(await receiveAll(aws.sqs, queueUrl, sent.length));
      assert.is(summary.accepted, sent.length);
    },
    work: () =>
      workLane({ ...deps, registry, keyring, windowEvents: 10 }, 'shop-1', {
        careful: false,
        stop: new AbortController().signal,
      }),
    /** Publishes what lies in the outbox, and reads the DLQ. */
    async deadLetters(eventType: string, count: number) {
      const relay = createOutboxRelay({ db, ...aws, addresses, worker: 'test', clock, log: silentLog });
      relay.start();
      const letters = await receiveAll(aws.sqs, pathOf(eventType).deadLetterUrl, count);
      await waitFor('all is sent', async () => {
        const left = await db.selectFrom('outbox').select('seq').where('state', '=', 'pending').execute();
        return left.length === 0;
      });
      await relay.stop();
      return letters;
    },
    outcomes: async () => {
      const rows = await db.selectFrom('settlements').selectAll().orderBy('mseq').execute();
      return rows.map(
        ({ event_id, outcome, reason }) => `${event_id} ${outcome}${reason === null ? '' : ` ${reason}`}`,
      );
    },
    /** Every place in which a text can be read. */
    async search(text: string, letters: readonly unknown[]): Promise<string[]> {
      await dedupe.flush();
      const tables = ['dedupe', 'claims'].map((name) => `${world.stack}-${name}`);
      return [
        ...(await searchPostgres(db, text)),
        ...(await searchRedis(redis, world.stack, text)),
        ...(await searchDynamo(aws.dynamodb, tables, text)),
        ...(await searchS3(aws.s3, [`${world.stack}-dead-letters`], text)),
        ...(JSON.stringify(letters).includes(text) ? ['DLQ'] : []),
      ];
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      Object.values(aws).forEach((client) => client.destroy());
      await world[Symbol.asyncDispose]();
    },
  };
}

test('what is about a person is readable by handlers alone, and by nobody once the person is erased', async () => {
  const read: string[] = [];
  const h = each((n, { payload }) => {
    if (n === 2) throw new LanewayError('payload.invalid', 'refused by the handler');
    read.push(`${n} ${String(payload['text'])}`);
    return done;
  });
  await using t = await setUp(
    [testEvent({ h: {} }, { person: (payload) => about.safeParse(payload).data?.customerId })],
    { h },
  );
  const customerId = 'customer-77';
  const take = (events: readonly { n: number; text: string; customerId?: string; at?: string }[]) =>
    t.take(
      'TestEvent',
      events.map(({ at, ...payload }) => ({ n: payload.n, at, payload })),
    );
  await take([
    { n: 1, text: SECRET, customerId },
    { n: 2, text: SECRET, customerId },
    { n: 9, text: PLAIN },
  ]);
  await t.work();
  // A window that fails is rolled back and run again: what was read twice was applied once.
  assert.equal([...new Set(read)], [`1 ${SECRET}`, `9 ${PLAIN}`]);
  const letters = await t.deadLetters('TestEvent', 1);
  assert.match(letters[0]?.Body ?? '', /"bodyIn":"inbox"/);
  // The search finds what is not protected; of the person there is nothing to find even now.
  assert.match(String(await t.search(PLAIN, letters)), /inbox_/);
  assert.equal(await t.search(SECRET, letters), []);
  assert.equal(await t.search(customerId, letters), []);

  await take([{ n: 3, text: SECRET, customerId }]);
  const keys = await eraseSubject(t.db, keyring, { merchantId: 'shop-1', subjectId: customerId }, clock.now());
  assert.is(keys.length, 1);
  // Emitted before the erasure, and late.
  await take([{ n: 4, text: SECRET, customerId, at: '2026-11-20T10:00:00.000Z' }]);
  // The person comes back.
  await take([{ n: 5, text: 'a new order', customerId, at: new Date(clock.now() + 1_000).toISOString() }]);
  await t.work();
  assert.equal(await t.outcomes(), [
    'e-1 done',
    'e-2 dead payload.invalid',
    'e-9 done',
    'e-3 skip erased',
    'e-4 skip erased',
    'e-5 done',
  ]);
  assert.equal(read.at(-1), '5 a new order');
  assert.equal(await t.search(SECRET, letters), []);
  const rows = await t.db.selectFrom('subject_keys').selectAll().orderBy('created_at').execute();
  assert.equal(
    rows.map(({ wrapped, destroyed_at }) => [wrapped === null, destroyed_at !== null]),
    [
      [true, true],
      [false, false],
    ],
  );
});

/** An app that repeats what it is told, and does not take it. */
async function startApp() {
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      received.push(body);
      response.writeHead(400).end(body);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    received,
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

test('affiliates and webhooks keep nothing about a person in clear, and what was erased is not sent any more', async () => {
  await using app = await startApp();
  await using t = await setUp(
    [affiliateConversionAttributionRequiredEvent, thirdPartyAppWebhookEvent, notificationDispatchRequestedEvent],
    { attributeAffiliateConversion, deliverThirdPartyAppWebhook },
  );
  const { db } = t;
  const customerId = 'customer-77';
  const merchantId = 'shop-1';
  const timestamp = new Date(clock.now()).toISOString();
  const affiliate = { affiliateId: 'video', name: 'video', commissionPpm: 1, customerRef: customerId } as const;
  const wanted = { url: app.url, description: '', types: ['*'], ordering: 'parallel' } as const;
  const { endpointId } = await db.transaction().execute(async (trx) => {
    await saveAffiliate(trx, keyring, merchantId, { ...affiliate, state: 'active' }, clock.now());
    return await createEndpoint(trx, keyring, merchantId, wanted, clock.now());
  });
  const order = { orderId: 'o-1', conversionType: 'purchase', amountMinor: 100, currency: 'EUR', timestamp };
  const touchpoints = [{ affiliateId: 'video', clickedAt: timestamp }];
  await t.take('AffiliateConversionAttributionRequiredEvent', [
    { n: 1, payload: { ...order, touchpoints, customerRef: customerId } },
  ]);
  const webhookType = 'order.placed';
  await t.take('ThirdPartyAppWebhookEvent', [
    { n: 2, payload: { webhookType, timestamp, data: { customerId, note: SECRET } } },
    { n: 3, payload: { webhookType, timestamp, customerId, data: { note: SECRET } } },
    { n: 9, payload: { webhookType, timestamp, data: { note: PLAIN } } },
  ]);
  await t.work();
  assert.equal(await t.outcomes(), ['e-1 skip the affiliate ordered for itself', 'e-2 done', 'e-3 done', 'e-9 done']);

  const driver = createWebhookDriver({ db, keyring, rules: { allowLoopback: true }, clock });
  const { signal } = new AbortController();
  /** One call for what an event has an endpoint told. */
  const deliver = async (eventId: string) => {
    const call = {
      ...{ merchantId, destination: `webhook:${endpointId}:0`, objectKey: eventId, version: 1, externalId: undefined },
      ...{ idempotencyKey: 'k', eventId, correlationId: 'cor', traceparent: 'tp' },
      desired: { endpointId, lane: '0', eventId },
    };
    const result = await driver.send(call, signal);
    const context = { now: clock.now(), emit: () => undefined, intend: () => undefined };
    await db.transaction().execute((trx) => driver.recordSuccess(trx, call, result, undefined, context));
  };
  for (const eventId of ['e-2', 'e-3', 'e-9']) {
    const refused = await deliver(eventId).catch((error: unknown) => error);
    assert.match(String(refused), 'the endpoint answered 400');
    assert.is(String(refused).includes(SECRET), false, 'what it repeats is not told on');
  }
  const note = (body: string): unknown => JSON.parse(body).data.note;
  assert.equal(app.received.map(note), [SECRET, SECRET, PLAIN]);
  assert.match(String(await t.search(PLAIN, [])), /webhook_attempts.*webhook_deliveries/);
  assert.equal(await t.search(SECRET, []), []);
  assert.equal(await t.search(customerId, []), []);

  await eraseSubject(db, keyring, { merchantId, subjectId: customerId }, clock.now());
  const delivery = () =>
    db.selectFrom('webhook_deliveries').select(['status', 'error']).where('event_id', '=', 'e-2').executeTakeFirst();
  const erased = { status: 'failed', error: 'people.erased: the person that it is about was erased' };
  await deliver('e-2');
  assert.equal(await delivery(), erased);
  const resend = { webhookType: 'laneway.redelivery', timestamp, data: {}, endpointId };
  await t.take('ThirdPartyAppWebhookEvent', [{ n: 10, payload: { ...resend, redelivery: { eventId: 'e-2' } } }]);
  await t.work();
  assert.equal(await delivery(), { status: 'pending', error: null });
  await deliver('e-2');
  assert.equal(await delivery(), erased);
  assert.is(app.received.length, 3);
  assert.equal(await t.search(SECRET, []), []);
  assert.equal(await t.search(customerId, []), []);
});

test.run();
