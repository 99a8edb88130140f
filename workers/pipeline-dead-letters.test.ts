// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectS3 } from '../core/clients/s3.ts';
import { attributesOf, receiveAll, sendBody } from '../core/testing/intake.ts';
import { provision } from '../ops/local/provision.ts';
import { PERFORMANCE, PRODUCTS, product, setUp } from './testing/pipeline-system.ts';

test('a body that leaves no room for the attributes goes to the object store, and back through it', async () => {
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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

test.run();
