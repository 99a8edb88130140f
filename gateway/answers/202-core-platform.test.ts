import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Gateway, signed, startGateway } from '../testing/start-gateway.ts';

const webhook = '/webhooks/core-platform/products';
const change = (n: number, operationType = 'update') => ({
  changeId: `c-${n}`,
  productId: `p-${n % 3}`,
  operationType,
  timestamp: '2026-11-23T10:15:00.000Z',
  changedAttributes: { title: `Shoe ${n}`, weightGrams: 300 },
});

const outboxOf = async ({ world }: Gateway) =>
  await world.postgres.db.selectFrom('outbox').selectAll().orderBy('merchant_id').orderBy('seq').execute();

const deliver = (gateway: Gateway, body: unknown) => gateway.call(webhook, signed(body, gateway.clock.now()));

test('each change of a delivery becomes an event in the outbox, in the order given', async () => {
  await using gateway = await startGateway();
  const answer = await deliver(gateway, { merchantId: 'shop:1', changes: [change(1, 'CREATE'), change(2), change(4)] });
  assert.is(answer.status, 202);
  const { accepted, events } = JSON.parse(answer.text);
  assert.is(accepted, 3);
  const rows = await outboxOf(gateway);
  assert.equal(
    rows.map((row) => [row.merchant_id, row.seq, row.event_id, row.destination, row.stream]),
    [
      ['shop:1', 1, events[0], 'queue:ProductSyncEventsQueue', 'events'],
      ['shop:1', 2, events[1], 'queue:ProductSyncEventsQueue', 'events'],
      ['shop:1', 3, events[2], 'queue:ProductSyncEventsQueue', 'events'],
    ],
  );
  const first = JSON.parse(rows[0]?.body.toString() ?? '');
  const { traceId, eventId, ...rest } = first;
  assert.is(eventId, events[0]);
  assert.match(traceId, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.equal(rest, {
    eventType: 'ProductCoreDataUpdatedEvent',
    eventVersion: '2.0.0',
    timestamp: '2026-11-23T10:15:00.000Z',
    sourceService: 'CorePlatformIntegrationService',
    correlationId: 'core-platform:c-1',
    merchantId: 'shop:1',
    payload: {
      productId: 'p-1',
      operationType: 'create',
      timestamp: '2026-11-23T10:15:00.000Z',
      changedAttributes: { title: 'Shoe 1', weightGrams: 300 },
    },
  });
});

test('a delivery that comes twice gives the same events byte for byte, which the engine drops as duplicates', async () => {
  await using gateway = await startGateway();
  const body = { merchantId: 'shop-1', changes: [change(1), change(2)] };
  const first = await deliver(gateway, body);
  gateway.clock.advance(3_600_000);
  const second = await deliver(gateway, body);
  assert.is(second.text, first.text);
  const rows = await outboxOf(gateway);
  const sent = rows.map((row) => [row.event_id, row.body.toString()]);
  assert.equal(sent.slice(2), sent.slice(0, 2));
});

test('one change id of two merchants is two events', async () => {
  await using gateway = await startGateway();
  const one = await deliver(gateway, { merchantId: 'shop-1', changes: [change(1)] });
  const other = await deliver(gateway, { merchantId: 'shop-2', changes: [change(1)] });
  assert.is.not(JSON.parse(one.text).events[0], JSON.parse(other.text).events[0]);
});

test('a change that was accepted is not sent again, unless a handler gave it up', async () => {
  await using gateway = await startGateway();
  const body = { merchantId: 'shop-1', changes: [change(1), change(2), change(4)] };
  const [done, dead, unknown] = JSON.parse((await deliver(gateway, body)).text).events as string[];
  const { db } = gateway.world.postgres;
  const day = new Date(gateway.clock.now()).toISOString().slice(0, 10);
  const at = new Date(gateway.clock.now());
  for (const [event_id, mseq, outcome] of [
    [done ?? '', 1, 'done'],
    [dead ?? '', 2, 'dead'],
  ] as const) {
    const key = { merchant_id: 'shop-1', event_id, mseq, day };
    await db
      .insertInto('accepted')
      .values({ ...key, body_hmac: Buffer.from('x'), accepted_at: at })
      .execute();
    await db
      .insertInto('settlements')
      .values({ ...key, handler: 'h', outcome, reason: null, settled_at: at, worker: 'w', owner: 'o' })
      .execute();
  }
  const again = await deliver(gateway, body);
  assert.equal(JSON.parse(again.text), { accepted: 3, events: [done, dead, unknown] });
  const rows = await outboxOf(gateway);
  assert.equal(
    rows.slice(3).map((row) => row.event_id),
    [dead, unknown],
  );
});

test.run();
