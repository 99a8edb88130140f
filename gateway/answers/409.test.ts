import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };

test('an ended campaign cannot be activated; the refusal changes nothing and leaves the key free', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const { campaign } = JSON.parse((await gateway.call('/v1/campaigns', { as, body: wanted })).text);
  const path = `/v1/campaigns/${campaign.campaignId}/state`;
  assert.is((await gateway.call(path, { as, body: { state: 'ended' } })).status, 202);
  const refused = await gateway.call(path, { as, body: { state: 'active' }, headers: { 'idempotency-key': 'k-1' } });
  assert.is(refused.status, 409);
  assert.is(JSON.parse(refused.text).code, 'campaigns.illegal_transition');
  const { db } = gateway.world.postgres;
  assert.is((await db.selectFrom('outbox').selectAll().execute()).length, 2);
  assert.equal(await db.selectFrom('idempotency_keys').selectAll().execute(), []);
});

test('while a request runs, another with its key is told to come back, and then gets its own chance', async () => {
  await using gateway = await startGateway({ lockTimeoutMs: 200 });
  const as = await gateway.addMerchant('shop-1');
  const call = { as, body: wanted, headers: { 'idempotency-key': 'k-1' } };
  const { db } = gateway.world.postgres;
  const running = { merchant_id: 'shop-1', idempotency_key: 'k-1', request_hash: 'x', status: 0, response: 'null' };
  const failed = new Error('the first request fails');
  await db
    .transaction()
    .execute(async (trx) => {
      await trx
        .insertInto('idempotency_keys')
        .values({ ...running, created_at: new Date(gateway.clock.now()) })
        .execute();
      const refused = await gateway.call('/v1/campaigns', call);
      assert.is(refused.status, 409);
      assert.is(JSON.parse(refused.text).code, 'request.conflict');
      throw failed;
    })
    .catch((error: unknown) => assert.is(error, failed));
  const answer = await gateway.call('/v1/campaigns', call);
  assert.is(answer.status, 202);
  assert.is(answer.headers.get('idempotency-replayed'), null);
});

test.run();
