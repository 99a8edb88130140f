import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

const account = { network: 'meta_catalog', catalogId: '77' };

test('a feed is created once for a key, paused, resumed, run and listed by its own merchant only', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const other = await gateway.addMerchant('shop-2');
  const create = () =>
    gateway.call('/v1/feeds', { as, body: { account, refreshMinutes: 15 }, headers: { 'idempotency-key': 'k' } });
  const created = await create();
  assert.is(created.status, 201);
  const feed = JSON.parse(created.text);
  assert.equal(
    [feed.account, feed.state, feed.refreshMinutes, feed.fullRefreshHours, feed.lastRun, feed.items],
    [account, 'active', 15, 24, null, {}],
  );
  assert.is((await create()).text, created.text);
  const path = `/v1/feeds/${feed.feedId}`;
  assert.is(created.headers.get('location'), path);
  assert.is(JSON.parse((await gateway.call('/v1/feeds', { as })).text).feeds.length, 1);

  const paused = await gateway.call(`${path}/state`, { as, body: { state: 'paused' } });
  assert.equal(
    [paused.status, JSON.parse(paused.text).state, JSON.parse(paused.text).nextRunAt],
    [200, 'paused', null],
  );
  const run = await gateway.call(`${path}/runs`, { as, body: { mode: 'delta' } });
  assert.is(run.status, 202);
  assert.match(run.text, /"nextRunAt":"2/);

  await gateway.world.postgres.db
    .insertInto('feed_items')
    .values(
      ['a', 'b'].map((item) => ({
        merchant_id: 'shop-1',
        feed_id: feed.feedId,
        item_id: item,
        product_id: item,
        run: 1,
        content_hash: '',
        expected: '{}',
        state: item === 'a' ? ('invalid' as const) : ('accepted' as const),
        issues: JSON.stringify([{ severity: 'error', code: 'gtin.missing', attribute: 'gtin', message: 'no GTIN' }]),
        updated_at: new Date(),
      })),
    )
    .execute();
  const invalid = JSON.parse((await gateway.call(`${path}/items?state=invalid`, { as })).text);
  assert.equal([invalid.items.length, invalid.items[0].issues[0].code, invalid.next], [1, 'gtin.missing', null]);
  assert.is(JSON.parse((await gateway.call(`${path}/items?limit=1`, { as })).text).next, 'a');
  assert.equal(JSON.parse((await gateway.call(path, { as })).text).items, { invalid: 1, accepted: 1 });

  for (const hidden of [path, `${path}/items`]) assert.is((await gateway.call(hidden, { as: other })).status, 404);
  assert.is((await gateway.call(`${path}/runs`, { as: other, body: { mode: 'full' } })).status, 404);
  assert.is((await gateway.call('/v1/feeds', { as, body: { account: { network: 'bing' } } })).status, 400);
});

test.run();
