// test-stack
import { DeleteMessageCommand, type Message } from '@aws-sdk/client-sqs';
import { PublishCommand } from '@aws-sdk/client-sns';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { registerSchemaVersions } from '../core/database/schema-versions.ts';
import { registry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { createBodyHmac } from '../core/runtime/ids.ts';
import { attributesOf, receiveAll, sendBody } from '../core/testing/intake.ts';
import { provision } from '../ops/local/provision.ts';
import type { AcceptableEvent } from './accept-rows.ts';
import { decode } from './decode.ts';
import { toReceived } from './message.ts';
import { HMAC_KEY, PERFORMANCE, PRODUCTS, performance, product, setUp } from './testing/pipeline-system.ts';

test('events are accepted in order, their merchants woken with pointers, and then deleted', async () => {
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
  await sendBody(t.sqs, t.url(PRODUCTS), product('e1', 'shop-1'), { group: 'shop-1' });
  await sendBody(t.sqs, t.url(PRODUCTS), 'nonsense', { group: 'other' });
  await sql`alter table inbox rename to inbox_away`.execute(t.db);
  const summary = await t.run(PRODUCTS, 2);
  assert.equal(summary, { received: 2, accepted: 0, duplicates: 0, deadLettered: 1, redriven: 0, putBack: 1 });
  await sql`alter table inbox_away rename to inbox`.execute(t.db);
  assert.is((await t.run(PRODUCTS, 1)).accepted, 1);
});

test('what only a registered release reads waits in SQS, with its group behind it, and is given up after 15 minutes', async () => {
  await using t = await setUp(provision);
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
  await using t = await setUp(provision);
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
