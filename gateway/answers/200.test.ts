import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';
import { mergeProducts } from '../../core/contexts/catalog/writes.ts';

const wanted = { name: 'Winter sale', adNetworkIds: ['meta', 'tiktok'], dailyBudgetMinor: 5_000, currency: 'EUR' };

test('a campaign shows its state on each network, and its operation how far it is', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const { campaign, operation } = JSON.parse((await gateway.call('/v1/campaigns', { as, body: wanted })).text);
  const at = new Date('2026-11-23T10:15:02.000Z');
  const network = {
    merchant_id: 'shop-1',
    campaign_id: campaign.campaignId,
    desired_state: 'active',
    desired_event_id: operation.id,
    desired: '{}',
    desired_at: at,
  };
  await gateway.world.postgres.db
    .insertInto('campaign_network_states')
    .values([
      { ...network, ad_network_id: 'meta', status: 'live', actual_state: 'active', external_id: 'x-1', synced_at: at },
      {
        ...network,
        ad_network_id: 'tiktok',
        status: 'failed',
        error_code: 'effect.rejected',
        error_message: 'the budget is too small',
      },
    ])
    .execute();

  const read = await gateway.call(`/v1/campaigns/${campaign.campaignId}`, { as });
  assert.is(read.status, 200);
  assert.equal(JSON.parse(read.text), {
    ...campaign,
    networks: [
      {
        adNetworkId: 'meta',
        desiredState: 'active',
        status: 'live',
        actualState: 'active',
        externalId: 'x-1',
        error: null,
        syncedAt: '2026-11-23T10:15:02.000Z',
      },
      {
        adNetworkId: 'tiktok',
        desiredState: 'active',
        status: 'failed',
        actualState: null,
        externalId: null,
        error: { code: 'effect.rejected', message: 'the budget is too small' },
        syncedAt: null,
      },
    ],
  });
  const followed = JSON.parse((await gateway.call(operation.href, { as })).text);
  assert.equal([followed.status, followed.networks.length], ['failed', 2]);
});

test('products are listed in pages by id, deleted ones on request', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const sourceAt = new Date('2026-11-23T10:15:00.000Z');
  const products = ['a', 'b', 'c', 'd', 'e'].map((productId) => ({
    merchantId: 'shop-1',
    productId,
    sourceAt,
    attributes: { title: `Shoe ${productId}`, priceMinor: 8_999, currency: 'EUR' },
    deleted: productId === 'b',
    changes: 1,
  }));
  await gateway.world.postgres.db.transaction().execute((trx) => mergeProducts(trx, products, gateway.clock.now()));

  const page = async (query: string) => {
    const { products, next } = JSON.parse((await gateway.call(`/v1/products?${query}`, { as })).text);
    return [products.map((each: { productId: string }) => each.productId).join(''), next];
  };
  assert.equal(await page('limit=2'), ['ac', 'c']);
  assert.equal(await page('limit=2&after=c'), ['de', null]);
  assert.equal(await page('includeDeleted=true'), ['abcde', null]);
  const one = await gateway.call('/v1/products/b', { as });
  assert.equal(JSON.parse(one.text), {
    productId: 'b',
    title: 'Shoe b',
    priceMinor: 8_999,
    currency: 'EUR',
    availability: null,
    attributes: { title: 'Shoe b', priceMinor: 8_999, currency: 'EUR' },
    revision: 1,
    changedAt: '2026-11-23T10:15:00.000Z',
    deletedAt: '2026-11-23T10:15:00.000Z',
  });
});

test('every answer carries its ids; a malformed correlation id is replaced', async () => {
  await using gateway = await startGateway();
  const ids = async (headers: Record<string, string>) => (await gateway.call('/healthz', { headers })).headers;
  const given = await ids({
    'x-correlation-id': 'order-7',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  assert.is(given.get('x-correlation-id'), 'order-7');
  assert.is(given.get('traceparent'), '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
  const made = await ids({ 'x-correlation-id': 'a "quoted" one', traceparent: 'x' });
  assert.match(made.get('x-correlation-id') ?? '', /^[0-9a-f-]{36}$/);
  assert.match(made.get('traceparent') ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.is.not(made.get('x-request-id'), given.get('x-request-id'));
});

test('health and readiness are open to everybody', async () => {
  await using gateway = await startGateway();
  const live = await gateway.call('/healthz');
  assert.equal([live.status, JSON.parse(live.text)], [200, { status: 'ok', state: 'ready' }]);
  const ready = await gateway.call('/readyz');
  assert.equal([ready.status, JSON.parse(ready.text).dependencies], [200, { postgres: 'ok' }]);
});

test('the documentation is a page whose every part comes from this process', async () => {
  await using gateway = await startGateway();
  const root = await gateway.call('/');
  assert.equal([root.status, root.headers.get('location')], [302, '/docs']);
  const page = await gateway.call('/docs');
  assert.is(page.status, 200);
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'self'/);
  const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  assert.is(parts.length, 5);
  for (const part of parts) {
    assert.match(part, /^\//);
    const answer = await gateway.call(part);
    assert.is(answer.status, 200, part);
    if (part !== '/openapi.json') assert.match(answer.headers.get('cache-control') ?? '', /max-age=86400/);
  }
  assert.is(JSON.parse((await gateway.call('/openapi.json')).text).openapi, '3.1.0');
  for (const other of ['package.json', 'index.html', '..%2Fpackage.json', 'swagger-ui-bundle.js.map'])
    assert.is((await gateway.call(`/docs/${other}`)).status, 404, other);
});

test.run();
