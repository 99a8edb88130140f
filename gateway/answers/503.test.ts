// test-stack
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createApp } from '../app.ts';
import { callApp, corePlatformSecret, signed, startGateway } from '../testing/start-gateway.ts';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { registry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { testKeyring } from '../../core/testing/keyring.ts';
import { waitFor } from '../../core/testing/wait-for.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };
const delivery = {
  merchantId: 'shop-1',
  changes: [{ changeId: 'c-1', productId: 'p-1', operationType: 'create', timestamp: '2026-11-23T10:15:00.000Z' }],
};

test('while PostgreSQL is away every route says so and when to come back; the process is alive', async () => {
  // Port 1 of loopback: nothing listens there.
  const postgres = connectPostgres({
    url: 'postgres://laneway_gateway@127.0.0.1:1/laneway',
    poolSize: 2,
    applicationName: 'gateway-test',
    statementTimeoutMs: 1_000,
    idleInTransactionTimeoutMs: 1_000,
  });
  const state = () => 'ready' as const;
  const app = createApp({
    db: postgres.db,
    registry,
    clock: systemClock,
    log: silentLog,
    keyring: testKeyring,
    corePlatformSecret,
    requestDeadlineMs: 10_000,
    webhookLoopback: false,
    state,
  });
  const as = `lw_${'a'.repeat(43)}`;
  const away = [
    await callApp(app, '/v1/products', { as }),
    await callApp(app, '/v1/campaigns', { as, body: wanted }),
    await callApp(app, '/webhooks/core-platform/products', signed(delivery, systemClock.now())),
  ];
  for (const answer of away) {
    assert.is(answer.status, 503);
    assert.is(answer.headers.get('retry-after'), '2');
    assert.is(JSON.parse(answer.text).code, 'service.unavailable');
    assert.not.match(answer.text, /ECONNREFUSED|127\.0\.0\.1/);
  }
  const ready = await callApp(app, '/readyz');
  assert.equal([ready.status, JSON.parse(ready.text).dependencies], [503, { postgres: 'unavailable' }]);
  assert.is((await callApp(app, '/healthz')).status, 200);
  await postgres.close();
});

test('a request over its deadline is answered 503 and does not commit afterwards', async () => {
  await using gateway = await startGateway({ requestDeadlineMs: 500, lockTimeoutMs: 10_000 });
  const as = await gateway.addMerchant('shop-1');
  const { db } = gateway.world.postgres;
  await db.insertInto('outbox_heads').values({ merchant_id: 'shop-1', next_seq: 1 }).execute();
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('outbox_heads').selectAll().forUpdate().execute();
    const answer = await gateway.call('/v1/campaigns', { as, body: wanted });
    assert.is(answer.status, 503);
    assert.match(JSON.parse(answer.text).detail, /took too long/);
  });
  const { pool } = gateway.postgres;
  await waitFor('the late transaction to end', () => pool.idleCount === pool.totalCount);
  assert.equal(await db.selectFrom('campaigns').selectAll().execute(), []);
  assert.equal(await db.selectFrom('outbox').selectAll().execute(), []);
});

test('a row that another transaction holds for too long is 503, not a fault of the request', async () => {
  await using gateway = await startGateway({ lockTimeoutMs: 200 });
  const as = await gateway.addMerchant('shop-1');
  const { campaign } = JSON.parse((await gateway.call('/v1/campaigns', { as, body: wanted })).text);
  await gateway.world.postgres.db.transaction().execute(async (trx) => {
    await trx.selectFrom('campaigns').selectAll().forUpdate().execute();
    const from = performance.now();
    const answer = await gateway.call(`/v1/campaigns/${campaign.campaignId}/state`, { as, body: { state: 'paused' } });
    const tookMs = performance.now() - from;
    assert.is(answer.status, 503);
    assert.match(JSON.parse(answer.text).detail, /nothing was changed/);
    // Deadlines of statement and request are ten seconds.
    assert.ok(tookMs < 8_000, `answered after ${Math.round(tookMs)} ms`);
  });
});

test('what nobody expected is 500 and tells nothing of the inside', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  await sql`drop table products`.execute(gateway.world.postgres.db);
  const answer = await gateway.call('/v1/products', { as, headers: { 'x-correlation-id': 'order-7' } });
  assert.is(answer.status, 500);
  assert.equal(JSON.parse(answer.text), {
    type: 'urn:laneway:problem:internal.unexpected',
    title: 'Something went wrong on our side',
    status: 500,
    code: 'internal.unexpected',
    detail: 'The request failed. Quote the correlation id when asking for help.',
    correlationId: 'order-7',
  });
});

test.run();
