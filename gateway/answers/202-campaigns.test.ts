import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta', 'tiktok'], dailyBudgetMinor: 5_000, currency: 'EUR' };
const create = (as: string, headers: Record<string, string> = {}, body: unknown = wanted) => ({ as, headers, body });

test('creating a campaign writes it, its operation and the command that asks the networks for it', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const answer = await gateway.call('/v1/campaigns', create(as, { 'x-correlation-id': 'order-7', traceparent }));
  assert.is(answer.status, 202);
  const { campaign, operation } = JSON.parse(answer.text);
  assert.is(answer.headers.get('location'), `/v1/campaigns/${campaign.campaignId}`);
  assert.is(answer.headers.get('x-correlation-id'), 'order-7');
  assert.is(answer.headers.get('traceparent'), traceparent);
  assert.is(campaign.state, 'active');
  assert.is(operation.href, `/v1/operations/${operation.id}`);

  const { db } = gateway.world.postgres;
  const rows = await db.selectFrom('outbox').selectAll().execute();
  assert.equal(
    rows.map((row) => [row.merchant_id, row.event_id, row.destination]),
    [['shop-1', operation.id, 'queue:CampaignEventsQueue']],
  );
  const event = JSON.parse(rows[0]?.body.toString() ?? '');
  assert.is(event.correlationId, 'order-7');
  assert.is(event.traceId, traceparent);
  assert.is(event.payload.campaignId, campaign.campaignId);
  assert.is(event.payload.requestedState, 'active');
  assert.equal(event.payload.adNetworkIds, ['meta', 'tiktok']);
  assert.equal(event.payload.campaignParametersForSync, {
    name: 'Winter sale',
    dailyBudgetMinor: 5_000,
    currency: 'EUR',
    productIds: [],
  });

  const followed = JSON.parse((await gateway.call(operation.href, { as })).text);
  assert.is(followed.status, 'pending');
  assert.is(followed.campaignId, campaign.campaignId);
});

test('a draft asks nothing of the networks until its state is changed', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const draft = await gateway.call('/v1/campaigns', create(as, {}, { ...wanted, state: 'draft' }));
  assert.is(draft.status, 201);
  const { campaign } = JSON.parse(draft.text);
  assert.is(campaign.state, 'draft');
  const { db } = gateway.world.postgres;
  assert.equal(await db.selectFrom('outbox').selectAll().execute(), []);

  const started = await gateway.call(`/v1/campaigns/${campaign.campaignId}/state`, { as, body: { state: 'active' } });
  assert.is(started.status, 202);
  assert.is(JSON.parse(started.text).campaign.state, 'active');
  const rows = await db.selectFrom('outbox').select('event_id').execute();
  assert.equal(rows, [{ event_id: JSON.parse(started.text).operation.id }]);
});

test('a request repeated with its idempotency key gets the same answer and has no second effect', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const key = { 'idempotency-key': 'k-1' };
  const first = await gateway.call('/v1/campaigns', create(as, key));
  assert.is(first.headers.get('idempotency-replayed'), null);
  const reordered = JSON.stringify(Object.fromEntries(Object.entries(wanted).toReversed()));
  for (const body of [wanted, reordered, { ...wanted, state: 'active' }]) {
    const again = await gateway.call('/v1/campaigns', create(as, key, body));
    assert.is(again.status, 202);
    assert.is(again.text, first.text);
    assert.is(again.headers.get('idempotency-replayed'), 'true');
    assert.is(again.headers.get('location'), first.headers.get('location'));
  }
  const { db } = gateway.world.postgres;
  assert.is((await db.selectFrom('campaigns').selectAll().execute()).length, 1);
  assert.is((await db.selectFrom('outbox').selectAll().execute()).length, 1);

  const draft = { ...wanted, state: 'draft' };
  const drafted = await gateway.call('/v1/campaigns', create(as, { 'idempotency-key': 'k-2' }, draft));
  const replayed = await gateway.call('/v1/campaigns', create(as, { 'idempotency-key': 'k-2' }, draft));
  assert.is(drafted.status, 201);
  assert.equal([replayed.status, replayed.text], [201, drafted.text]);
});

test('requests that run at once with one key have one effect', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => gateway.call('/v1/campaigns', create(as, { 'idempotency-key': 'k-1' }))),
  );
  assert.is(new Set(answers.map(({ text }) => text)).size, 1);
  assert.is(answers.filter(({ headers }) => headers.has('idempotency-replayed')).length, 4);
  assert.is((await gateway.world.postgres.db.selectFrom('campaigns').selectAll().execute()).length, 1);
});

test('key, effect and event are written by one transaction', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  await gateway.call('/v1/campaigns', create(as, { 'idempotency-key': 'k-1' }));
  const { rows } = await sql<{ writer: string }>`
    select xmin::text as writer from idempotency_keys union select xmin::text from campaigns
    union select xmin::text from operations union select xmin::text from outbox
  `.execute(gateway.world.postgres.db);
  assert.is(rows.length, 1);
});

test('after 24 hours a key is as good as new', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const key = { 'idempotency-key': 'k-1' };
  const first = await gateway.call('/v1/campaigns', create(as, key));
  gateway.clock.advance(24 * 3_600_000 - 60_000);
  assert.is((await gateway.call('/v1/campaigns', create(as, key))).text, first.text);
  gateway.clock.advance(60_000);
  const later = await gateway.call('/v1/campaigns', create(as, key, { ...wanted, name: 'Spring sale' }));
  assert.is(later.status, 202);
  assert.is(JSON.parse(later.text).campaign.name, 'Spring sale');
});

test.run();
