import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signed, startGateway } from '../testing/start-gateway.ts';

const large = JSON.stringify({ name: 'x'.repeat(1_100_000) });

test('405, 413 and 415: requests that no route takes are refused as problems', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');

  const declared = await gateway.call('/v1/campaigns', { as, body: large });
  assert.is(declared.status, 413);
  assert.is(JSON.parse(declared.text).code, 'request.too_large');

  // Without a declared length the body is counted as it comes.
  const streamed = await gateway.app.request('/v1/campaigns', {
    method: 'POST',
    headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json' },
    body: new Blob([large]).stream(),
    duplex: 'half',
  });
  assert.is(streamed.status, 413);

  const webhook = await gateway.call('/webhooks/core-platform/products', signed(large, gateway.clock.now()));
  assert.is(webhook.status, 413);

  const text = await gateway.call('/v1/campaigns', {
    as,
    body: '{}',
    headers: { 'content-type': 'text/plain' },
  });
  assert.is(text.status, 415);
  assert.is(JSON.parse(text.text).code, 'request.media_type');

  const removed = await gateway.call('/v1/campaigns', { as, method: 'DELETE' });
  assert.is(removed.status, 405);
  assert.is(removed.headers.get('allow'), 'GET, HEAD, POST');
  assert.is(JSON.parse(removed.text).code, 'request.method_not_allowed');
});

test.run();
