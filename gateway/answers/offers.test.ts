// test-stack
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';
import { followOffers } from '../../core/contexts/campaigns/follow-offers.ts';
import { handleProductCoreUpdate } from '../../core/contexts/catalog/handle-product-core-update.ts';
import { buildFeed } from '../../core/contexts/catalog/feeds/build-feed.ts';
import { startDueFeeds } from '../../core/contexts/catalog/feeds/start-due-feeds.ts';
import { findSales } from '../../core/contexts/promotions/find-sales.ts';
import { turnOffers } from '../../core/contexts/promotions/turn-offers.ts';
import { registry } from '../../core/events/registry.ts';
import { lanewayEvent, runHandler, snapshot } from '../../core/testing/run-handler.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test('an offer moves its campaigns and its feed when it starts and ends, and what the merchant does in between stays', async () => {
  await using gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const other = await gateway.addMerchant('shop-2');
  const { db } = gateway.world.postgres;
  const within = db.transaction();
  const start = gateway.clock.now();
  const iso = (hour: number) => new Date(start + hour * HOUR).toISOString();
  const call = async (expected: number, path: string, body?: unknown, method?: string, key = as) => {
    const answer = await gateway.call(path, { as: key, body, ...(method === undefined ? {} : { method }) });
    assert.is(answer.status, expected, `${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  };

  const campaign = { name: 'tied', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' };
  const { campaign: tied } = await call(202, '/v1/campaigns', { ...campaign, state: 'paused' });
  const {
    campaign: { campaignId: draft },
  } = await call(201, '/v1/campaigns', { ...campaign, name: 'draft', state: 'draft' });
  const offer = {
    name: 'a',
    discount: { kind: 'percent', basisPoints: 1_000 },
    eligibility: { productIds: ['sku-1'] },
    startsAt: iso(5),
    endsAt: iso(9),
    currency: 'EUR',
    campaignIds: [tied.campaignId, draft],
  };
  const made = await call(201, '/v1/offers', offer);
  assert.equal([made.state, made.stacking, made.spentMinor], ['scheduled', 'exclusive', 0]);
  const path = `/v1/offers/${made.offerId}`;
  await call(404, path, undefined, 'GET', other);
  assert.equal((await call(200, '/v1/offers', undefined, 'GET', other)).offers, []);
  assert.is((await call(400, '/v1/offers', { ...offer, endsAt: iso(1) })).code, 'offers.invalid');
  const open = await call(201, '/v1/offers', {
    ...offer,
    eligibility: { code: 'X' },
    state: 'draft',
    startsAt: iso(7),
    endsAt: null,
    campaignIds: [tied.campaignId],
  });
  await call(200, `/v1/offers/${open.offerId}/state`, { state: 'scheduled' });

  const unseen = { ...offer, name: 'unseen', startsAt: iso(10.2), endsAt: iso(10.5), campaignIds: [tied.campaignId] };
  await call(201, '/v1/offers', unseen);

  const changed = ['sku-1', 'sku-2'].map((productId, index) =>
    lanewayEvent(index + 1, {
      productId,
      operationType: 'create',
      timestamp: iso(0),
      changedAttributes: {
        title: 'Shoe',
        description: 'For mud',
        link: 'https://shop.example/1',
        imageLink: 'https://shop.example/1.jpg',
        brand: 'Nordwind',
        gtin: '4006381333931',
        priceMinor: 10_000,
        currency: 'EUR',
        availability: 'in_stock',
      },
    }),
  );
  await runHandler(db, handleProductCoreUpdate, changed);
  const account = { network: 'meta_catalog', catalogId: '77' };
  const { feedId } = await call(201, '/v1/feeds', { account, refreshMinutes: 15 });
  /** Items that the feed's next run sends; undefined when none is due. */
  const feed = async (hour: number): Promise<number | undefined> => {
    const now = start + hour * HOUR;
    const { lanes } = await within.execute((trx) => startDueFeeds(trx, { nowMs: now, after: '', limit: 10 }));
    if (lanes.length === 0) return undefined;
    const sales = await findSales(db, 'shop-1', now);
    const { last_full_at: full } = await db
      .selectFrom('catalog_feeds')
      .select('last_full_at')
      .executeTakeFirstOrThrow();
    const request = {
      merchantId: 'shop-1',
      feedId,
      mode: full === null ? 'full' : 'delta',
      buildKey: `${hour}`,
    } as const;
    const built = await buildFeed(db, request, { sales, now, signal: new AbortController().signal });
    // As the driver records it.
    await db.updateTable('feed_runs').set({ state: 'ready' }).execute();
    await db
      .updateTable('catalog_feeds')
      .set({ offers_version: sales.version, last_full_at: new Date(now) })
      .execute();
    await db.deleteFrom('feed_changes').execute();
    return built?.items;
  };

  const pass = async (hour: number) => {
    const nowMs = start + hour * HOUR;
    await within.execute((trx) => turnOffers(trx, { after: '', limit: 10, nowMs }));
    await within.execute((trx) => followOffers(trx, registry, { after: '', limit: 10, nowMs }));
    const rows = await db.selectFrom('campaigns').select(['name', 'state']).orderBy('name').execute();
    return rows.map(({ name, state }) => `${name} ${state}`).join(', ');
  };
  assert.equal([await pass(4), await feed(4)], ['draft draft, tied paused', 2]);
  assert.equal([await pass(5), await feed(5)], ['draft draft, tied active', 0]);
  assert.is(await feed(5.5), undefined);
  await call(202, `/v1/campaigns/${tied.campaignId}/state`, { state: 'paused' });
  assert.is(await pass(6), 'draft draft, tied paused');
  assert.is(await pass(7), 'draft draft, tied active');
  assert.is(await pass(9), 'draft draft, tied active');
  assert.is(await feed(9), 1);
  gateway.clock.advance(10 * HOUR);
  assert.equal((await call(409, path, { ...offer, endsAt: iso(20) }, 'PUT')).code, 'offers.illegal_change');
  const quote = { items: [{ productId: 'sku-1', priceMinor: 999, quantity: 3 }], currency: 'EUR' };
  assert.is((await call(200, '/v1/offers/quotes', quote)).totalMinor, 2_997);
  assert.equal(await call(200, '/v1/offers/quotes', { ...quote, codes: ['X'] }), {
    items: [{ productId: 'sku-1', priceMinor: 900, discounts: [{ offerId: open.offerId, amountMinor: 99 }] }],
    totalMinor: 2_700,
    discounts: [{ offerId: open.offerId, amountMinor: 297 }],
  });
  const ended = await call(200, `/v1/offers/${open.offerId}/state`, { state: 'ended' });
  assert.equal([ended.state, ended.endedBy], ['ended', 'merchant']);
  assert.is(await pass(10), 'draft draft, tied paused');
  await call(202, `/v1/campaigns/${tied.campaignId}/state`, { state: 'active' });
  const before = await snapshot(db, ['campaigns', 'operations', 'outbox']);
  assert.is(await pass(11), 'draft draft, tied active', 'an offer that never ran moves nothing');
  assert.is(await snapshot(db, ['campaigns', 'operations', 'outbox']), before);
  const audited = await db.selectFrom('audit_log').select('action').where('action', 'like', 'offer.%').execute();
  assert.is(audited.length, 5);
  assert.ok(gateway.clock.now() < start + DAY);
});

test.run();
