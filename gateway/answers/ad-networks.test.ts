import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';

test('a merchant connects an account of digits, and sees what others made at the network, page by page', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const put = (network: string, accountId: string) =>
    gateway.call(`/v1/ad-networks/${network}/account`, { as, method: 'PUT', body: { accountId } });
  assert.is((await put('meta', '123')).status, 200);
  assert.is((await put('meta', '456')).status, 200);
  assert.is((await put('meta', 'act_456')).status, 400);
  assert.is((await put('myspace', '456')).status, 400);
  const { db } = gateway.world.postgres;
  const accounts = await db.selectFrom('ad_accounts').select(['ad_network_id', 'account_id']).execute();
  assert.equal(accounts, [{ ad_network_id: 'meta', account_id: '456' }]);

  const at = new Date('2026-11-23T10:00:00.000Z');
  const seen = { ad_network_id: 'meta', state: 'active', currency: 'EUR', first_seen_at: at, last_seen_at: at };
  const row = (merchant_id: string, external_id: string) => ({
    ...seen,
    merchant_id,
    external_id,
    name: `Campaign ${external_id}`,
    daily_budget_minor: null,
  });
  await db
    .insertInto('outside_campaigns')
    .values([row('shop-1', '1'), row('shop-1', '2'), row('shop-2', '3')])
    .execute();
  const list = async (query: string) =>
    JSON.parse((await gateway.call(`/v1/ad-networks/meta/outside-campaigns${query}`, { as })).text);
  const first = await list('?limit=1');
  assert.equal([first.campaigns[0].name, first.next], ['Campaign 1', '1']);
  const last = await list('?limit=1&after=1');
  assert.equal([last.campaigns.length, last.campaigns[0].externalId, last.next], [1, '2', null]);

  const times = { first_seen_at: at, last_seen_at: at };
  const ad = (merchant_id: string, kind: 'ad_set' | 'ad', external_id: string, name: string | null) => ({
    ...{ merchant_id, ad_network_id: 'google_ads', kind, external_id, name, ...times },
    ...{ parent_external_id: '7', state: 'paused' as const },
  });
  await db
    .insertInto('outside_ad_objects')
    .values([
      ad('shop-1', 'ad_set', '7', 'By hand'),
      ad('shop-1', 'ad', '7~9', null),
      ad('shop-1', 'ad', '7~8', null),
      ad('shop-2', 'ad', '7~5', null),
    ])
    .execute();
  const listAds = async (query: string) => {
    const { text } = await gateway.call(`/v1/ad-networks/google_ads/outside-ads${query}`, { as });
    const { ads, next } = JSON.parse(text);
    return [...ads.map(({ externalId }: { externalId: string }) => externalId), next];
  };
  assert.equal(await listAds('?limit=2'), ['7~8', '7~9', 'ad/7~9']);
  assert.equal(await listAds('?limit=2&after=ad/7~9'), ['7', null]);
  const { text } = await gateway.call('/v1/ad-networks/google_ads/outside-ads?after=ad/7~9', { as });
  assert.equal(JSON.parse(text).ads, [
    {
      ...{ kind: 'ad_set', externalId: '7', parentExternalId: '7', name: 'By hand', state: 'paused' },
      firstSeenAt: '2026-11-23T10:00:00.000Z',
    },
  ]);
});

test.run();
