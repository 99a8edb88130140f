import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };
const headers = { 'idempotency-key': 'k-1' };

test('an idempotency key belongs to one request: another body or path is refused', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const first = await gateway.call('/v1/campaigns', { as, body: wanted, headers });
  const { campaign } = JSON.parse(first.text);
  const others: [string, unknown][] = [
    ['/v1/campaigns', { ...wanted, dailyBudgetMinor: 5_001 }],
    [`/v1/campaigns/${campaign.campaignId}/state`, { state: 'paused' }],
  ];
  for (const [path, body] of others) {
    const refused = await gateway.call(path, { as, body, headers });
    assert.is(refused.status, 422);
    assert.is(JSON.parse(refused.text).code, 'request.key_reused');
  }
  const { db } = gateway.world.postgres;
  assert.is((await db.selectFrom('outbox').selectAll().execute()).length, 1);
  assert.is((await gateway.call('/v1/campaigns', { as, body: wanted, headers })).text, first.text);
});

test('a key is scoped to its merchant: two merchants may use the same one', async () => {
  await using gateway = await startGateway();
  const one = await gateway.call('/v1/campaigns', { as: await gateway.addMerchant('shop-1'), body: wanted, headers });
  const other = await gateway.call('/v1/campaigns', { as: await gateway.addMerchant('shop-2'), body: wanted, headers });
  assert.equal([one.status, other.status], [202, 202]);
  assert.is(other.headers.get('idempotency-replayed'), null);
  assert.is.not(JSON.parse(one.text).campaign.campaignId, JSON.parse(other.text).campaign.campaignId);
});

test.run();
