import { createHmac } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { corePlatformSecret, signed, startGateway } from '../testing/start-gateway.ts';

const delivery = JSON.stringify({
  merchantId: 'shop-1',
  changes: [{ changeId: 'c-1', productId: 'p-1', operationType: 'create', timestamp: '2026-11-23T10:15:00.000Z' }],
});
const webhook = '/webhooks/core-platform/products';

test('the merchant API answers only to a valid API key, and says so to everybody else', async () => {
  await using gateway = await startGateway();
  const key = await gateway.addMerchant('shop-1');
  const asked: [string, Record<string, string>][] = [
    ['no key', {}],
    ['an unknown key', { authorization: `Bearer lw_${'a'.repeat(43)}` }],
    ['a key of another shape', { authorization: 'Bearer secret' }],
    ['a key with something behind it', { authorization: `Bearer ${key} x` }],
    ['another scheme', { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` }],
    ['a key that is too long', { 'x-api-key': `lw_${'a'.repeat(5_000)}` }],
  ];
  for (const [what, headers] of asked) {
    for (const path of ['/v1/campaigns', '/v1/products', '/v1/operations/x', '/v1/nothing-here']) {
      const answer = await gateway.call(path, { headers });
      assert.is(answer.status, 401, `${what} at ${path}`);
      assert.is(answer.headers.get('www-authenticate'), 'Bearer');
      assert.is(answer.headers.get('content-type'), 'application/problem+json');
      assert.is(JSON.parse(answer.text).code, 'access.unauthenticated');
    }
  }
  assert.is((await gateway.call('/v1/products', { headers: { 'x-api-key': key } })).status, 200);
});

test('an expired key is refused once it is no longer remembered', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  assert.is((await gateway.call('/v1/products', { as })).status, 200);
  await gateway.world.postgres.db
    .updateTable('api_keys')
    .set({ expires_at: new Date(0) })
    .execute();
  gateway.clock.advance(30_000);
  assert.is((await gateway.call('/v1/products', { as })).status, 401);
});

test('a delivery is refused unless its signature fits its body, its time and the secret', async () => {
  await using gateway = await startGateway();
  const now = gateway.clock.now();
  const good = signed(delivery, now);
  const timestamp = good.headers['x-laneway-timestamp'] ?? '';
  const signature = good.headers['x-laneway-signature'] ?? '';
  const withoutVersion = createHmac('sha256', corePlatformSecret).update(delivery).digest('hex');
  const refused: [string, { body: unknown; headers: Record<string, string> }][] = [
    ['no headers', { body: delivery, headers: {} }],
    ['no signature', { body: delivery, headers: { 'x-laneway-timestamp': timestamp } }],
    ['no timestamp', { body: delivery, headers: { 'x-laneway-signature': signature } }],
    ['another body', { ...good, body: delivery.replace('create', 'delete') }],
    ['another time', { ...good, headers: { ...good.headers, 'x-laneway-timestamp': String(Number(timestamp) - 1) } }],
    ['another secret', signed(delivery, now, 'another secret altogether')],
    ['five minutes and a second ago', signed(delivery, now - 302_000)],
    ['five minutes and a second ahead', signed(delivery, now + 302_000)],
    [
      'the body without its time',
      { ...good, headers: { ...good.headers, 'x-laneway-signature': `v1=${withoutVersion}` } },
    ],
    [
      'another version',
      { ...good, headers: { ...good.headers, 'x-laneway-signature': signature.replace('v1', 'v2') } },
    ],
    ['a time in milliseconds', { ...good, headers: { ...good.headers, 'x-laneway-timestamp': String(now) } }],
  ];
  for (const [what, call] of refused) {
    const answer = await gateway.call(webhook, call);
    assert.is(answer.status, 401, what);
    assert.is(JSON.parse(answer.text).code, 'access.signature_invalid', what);
  }
  const rows = await gateway.world.postgres.db.selectFrom('outbox').selectAll().execute();
  assert.equal(rows, []);
});

test('one good signature among several is enough, so that the secret can be replaced', async () => {
  await using gateway = await startGateway();
  const good = signed(delivery, gateway.clock.now());
  const old = signed(delivery, gateway.clock.now(), 'the secret that was replaced');
  const both = `${old.headers['x-laneway-signature']}, ${good.headers['x-laneway-signature']}`;
  const answer = await gateway.call(webhook, {
    body: delivery,
    headers: { ...good.headers, 'x-laneway-signature': both },
  });
  assert.is(answer.status, 202);
});

test.run();
