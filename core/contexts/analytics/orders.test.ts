import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attributeOrderData } from './attribute-order-data.ts';
import { chooseTouch, defaultWindows } from './choose-touch.ts';
import type { AdTouch } from './events.ts';
import { processIngestedPerformanceData } from './process-ingested-performance-data.ts';
import { handleProductDimensionUpdate } from './handle-product-dimension-update.ts';
import { type ReportGroup, readReport } from './read-report.ts';
import { readPerformanceTotals } from './reads.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { assertOrderIrrelevant } from '../../testing/shuffle.ts';
import { type World, createWorld } from '../../testing/world.ts';

const touch = (campaign: number, kind: AdTouch['kind'], at: string): AdTouch => ({
  adNetworkId: 'meta',
  campaignId: `cmp-${campaign}`,
  kind,
  at,
});

const order = (n: number, orderId: string, more: Record<string, unknown> = {}) =>
  lanewayEvent(n, {
    orderId,
    orderedAt: '2026-11-20T12:00:00.000Z',
    status: 'placed',
    totalMinor: 1_000,
    currency: 'EUR',
    touches: [touch(1, 'click', '2026-11-19T12:00:00.000Z')],
    timestamp: `2026-11-21T00:00:0${n % 10}.000Z`,
    ...more,
  });

const figures = (n: number, more: Record<string, unknown>, metrics: Record<string, unknown> = {}) =>
  lanewayEvent(n, {
    adNetworkId: 'meta',
    reportDate: '2026-11-20',
    campaignId: 'cmp-1',
    metricsPayload: {
      impressions: 1_000,
      clicks: 40,
      conversions: 2.5,
      spendMicros: 10_000_000,
      currency: 'EUR',
      ...metrics,
    },
    timestamp: '2026-11-21T06:00:00.000Z',
    ...more,
  });

const report = ({ postgres: { db } }: World, groupBy: ReportGroup) =>
  db
    .transaction()
    .execute((trx) => readReport(trx, 'shop-1', { from: '2026-11-01', to: '2026-11-30', groupBy, limit: 100 }));

test('the last click within its window claims an order, else the last view within its own, else nothing', () => {
  const at = '2026-11-20T12:00:00.000Z';
  const claims = (...touches: AdTouch[]) => chooseTouch(touches, at, defaultWindows)?.campaignId;
  assert.is(
    claims(touch(1, 'click', '2026-11-14T12:00:00.000Z'), touch(2, 'view', '2026-11-20T11:59:00.000Z')),
    'cmp-1',
  );
  assert.is(claims(touch(1, 'click', '2026-11-13T12:00:00.000Z')), 'cmp-1');
  assert.is(claims(touch(1, 'click', '2026-11-13T11:59:59.999Z')), undefined);
  assert.is(claims(touch(1, 'view', '2026-11-19T12:00:00.000Z')), 'cmp-1');
  assert.is(claims(touch(1, 'view', '2026-11-19T11:59:59.999Z')), undefined);
  assert.is(claims(touch(1, 'click', '2026-11-20T12:00:00.001Z')), undefined);
  const [a, b] = [touch(1, 'click', '2026-11-19T00:00:00.000Z'), touch(2, 'click', '2026-11-19T00:00:00.000Z')];
  assert.equal([claims(a, b), claims(b, a)], ['cmp-2', 'cmp-2']);
});

const tables = [
  'attributed_orders',
  'order_days',
  'order_lines',
  'product_days',
  'order_network_days',
  'order_months',
  'product_thirds',
] as const;

test('orders end in the same state in whatever order and however often their states come', async () => {
  await using world = await createWorld();
  const orders = fc
    .array(
      fc.record({ id: fc.nat(2), campaign: fc.nat(2), total: fc.nat(9), sku: fc.nat(2), cancelled: fc.boolean() }),
      {
        minLength: 1,
        maxLength: 9,
      },
    )
    .map((specs) =>
      specs.map((spec, i) => ({
        handler: attributeOrderData,
        event: order(i, `o-${spec.id}`, {
          totalMinor: spec.total,
          lines: spec.sku === 0 ? [] : [{ productId: `sku-${spec.sku}`, quantity: 1, totalMinor: spec.total }],
          status: spec.cancelled ? 'cancelled' : 'placed',
          touches: spec.campaign === 0 ? [] : [touch(spec.campaign, 'click', '2026-11-19T12:00:00.000Z')],
        }),
      })),
    );
  await assertOrderIrrelevant(world, orders, tables, { numRuns: 25 });
});

test('orders that are handled again leave every sum as it was', async () => {
  await using world = await createWorld();
  const events = [order(1, 'a'), order(2, 'b'), order(3, 'a', { refundedMinor: 400 })];
  const { once, twice } = await runTwice(world, attributeOrderData, events, tables);
  assert.is(twice, once);
  assert.match(once, /"revenue_minor": 1600/);
});

test('a refund, a cancellation and a late touch restate the day of the order', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, processIngestedPerformanceData, [figures(1, {})]);
  await runHandler(db, attributeOrderData, [order(1, 'a', { totalMinor: 5_000 }), order(2, 'b', { touches: [] })]);
  const campaigns = async () =>
    (await report(world, 'campaign')).map((row) => [
      `${row.adNetworkId}/${row.campaignId}`,
      row.orders,
      row.revenueMicros,
      row.roas,
      row.cpaMicros,
    ]);
  assert.equal(await campaigns(), [
    ['/', 1n, 10_000_000n, null, 0n],
    ['meta/cmp-1', 1n, 50_000_000n, '5.0000', 10_000_000n],
  ]);
  await runHandler(db, attributeOrderData, [order(3, 'a', { totalMinor: 5_000, refundedMinor: 2_500 }), order(4, 'b')]);
  assert.equal(await campaigns(), [['meta/cmp-1', 2n, 35_000_000n, '3.5000', 5_000_000n]]);
  await runHandler(db, attributeOrderData, [order(5, 'b', { status: 'cancelled' })]);
  assert.equal(await campaigns(), [['meta/cmp-1', 1n, 25_000_000n, '2.5000', 10_000_000n]]);
  const [row] = await report(world, 'day');
  assert.equal(
    [row?.day, row?.ctr, row?.cpcMicros, row?.cpmMicros, row?.conversions, row?.asOf.toISOString()],
    ['2026-11-20', '0.040000', 250_000n, 10_000_000n, 2.5, '2026-11-21T06:00:00.000Z'],
  );
});

const product = (n: number, productId: string, timestamp: string, title: string) =>
  lanewayEvent(n, { productId, operationType: 'update', timestamp, changedAttributes: { title, brand: 'Acme' } });

test('by product, sales carry the name of their day, and spend and revenue add up to the campaigns to the micro', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, handleProductDimensionUpdate, [
    product(1, 'sku-1', '2026-11-01T00:00:00.000Z', 'Shoe'),
    product(2, 'sku-1', '2026-11-20T18:00:00.000Z', 'Trail shoe'),
    product(3, 'sku-1', '2026-11-21T08:00:00.000Z', 'Trail shoe 2'),
  ]);
  const line = (sku: number, totalMinor: number, quantity = 1) => ({ productId: `sku-${sku}`, quantity, totalMinor });
  const early = { orderedAt: '2026-11-19T12:30:00.000Z' };
  await runHandler(db, processIngestedPerformanceData, [figures(1, {}), figures(2, { campaignId: 'cmp-2' })]);
  await runHandler(db, attributeOrderData, [
    order(1, 'a', { ...early, totalMinor: 700, lines: [line(1, 700, 2)] }),
    order(2, 'b', { totalMinor: 3_000, lines: [line(1, 1_000), line(2, 1_000), line(2, 500)] }),
    order(3, 'c', { totalMinor: 900, lines: [line(2, 900)], touches: [] }),
  ]);
  const products = async () =>
    (await report(world, 'product')).map((r) => [
      r.productId,
      r.title,
      r.orders,
      r.units,
      r.spendMicros,
      r.revenueMicros,
    ]);
  assert.equal(await products(), [
    // Shipping, what cmp-2 spent without a sale, and what shipping's share and rounding leave of cmp-1.
    ['', null, 1n, 0n, 11_666_667n, 5_000_000n],
    ['sku-1', 'Shoe', 1n, 2n, 0n, 7_000_000n],
    ['sku-1', 'Trail shoe', 1n, 1n, 3_333_333n, 10_000_000n],
    ['sku-2', null, 2n, 3n, 5_000_000n, 24_000_000n],
  ]);
  // A refund that names no product, and a line that is gone.
  await runHandler(db, attributeOrderData, [
    order(4, 'b', { totalMinor: 3_000, refundedMinor: 600, lines: [line(1, 2_900)] }),
    order(5, 'c', { totalMinor: 900, lines: [line(2, 900)], status: 'cancelled', touches: [] }),
  ]);
  assert.equal(await products(), [
    ['', null, 1n, 0n, 10_000_000n, -5_000_000n],
    ['sku-1', 'Shoe', 1n, 2n, 0n, 7_000_000n],
    ['sku-1', 'Trail shoe', 1n, 1n, 10_000_000n, 29_000_000n],
    ['sku-2', null, 0n, 0n, 0n, 0n],
  ]);
});

test("a merchant's own windows decide, and currencies stay apart with their own decimals", async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await db
    .insertInto('attribution_windows')
    .values({ merchant_id: 'shop-1', click_days: 0, view_days: 0, updated_at: new Date() })
    .execute();
  await runHandler(db, attributeOrderData, [
    order(1, 'a'),
    order(2, 'b', { currency: 'JPY', totalMinor: 700, touches: [touch(1, 'click', '2026-11-20T12:00:00.000Z')] }),
  ]);
  await runHandler(db, processIngestedPerformanceData, [figures(1, {})]);
  assert.equal(
    (await report(world, 'network')).map((row) => [
      row.adNetworkId,
      row.currency,
      row.spendMicros,
      row.revenueMicros,
      row.roas,
    ]),
    [
      ['', 'EUR', 0n, 10_000_000n, null],
      ['meta', 'EUR', 10_000_000n, 0n, '0.0000'],
      ['meta', 'JPY', 0n, 700_000_000n, null],
    ],
  );
});

test('what a network says of a campaign stands for its parts, what it says of the account gives way to campaigns, and nothing counts twice', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const spend = (spendMicros: number) => ({ spendMicros });
  const handle = (...events: ReturnType<typeof figures>[]) => runHandler(db, processIngestedPerformanceData, events);
  const total = async () => (await report(world, 'network')).map((row) => row.spendMicros);
  await handle(
    figures(1, { adSetId: 's1', adId: 'a1' }, spend(1)),
    figures(2, { adSetId: 's1', adId: 'a2' }, spend(2)),
    figures(3, { adSetId: 's2', adId: 'a3' }, spend(4)),
  );
  assert.equal(await total(), [7n]);
  await handle(figures(4, { adSetId: 's1' }, spend(30)));
  assert.equal(await total(), [34n]);
  await handle(figures(5, {}, spend(500)), figures(6, { campaignId: 'cmp-2' }, spend(100)));
  assert.equal(await total(), [600n]);
  await handle(figures(7, { campaignId: undefined }, spend(9_000)));
  assert.equal(await total(), [600n]);
  const { db: reader } = world.postgres;
  const billed = async () => {
    const range = { from: '2026-11-01', to: '2026-11-30' };
    const totals = await reader.transaction().execute((trx) => readPerformanceTotals(trx, 'shop-1', range));
    return totals.map(({ currency, spendMicros }) => [currency, spendMicros]);
  };
  // The same, for whoever bills it.
  assert.equal(await billed(), [['EUR', 600]]);
  assert.equal(
    (await report(world, 'campaign')).map((row) => [row.campaignId, row.spendMicros]),
    [
      ['cmp-1', 500n],
      ['cmp-2', 100n],
    ],
  );
  // Restated in another currency: what it was in before is gone.
  await handle(figures(8, { timestamp: '2026-11-22T06:00:00.000Z' }, { ...spend(70), currency: 'USD' }));
  assert.equal(
    (await report(world, 'campaign')).map((row) => [row.campaignId, row.currency, row.spendMicros]),
    [
      ['cmp-1', 'USD', 70n],
      ['cmp-2', 'EUR', 100n],
    ],
  );
  // Of no campaign, but of a part of the account: it counts beside campaigns, and the account beside neither.
  await handle(figures(9, { campaignId: undefined, adSetId: 's' }, spend(1_000)));
  assert.equal(await billed(), [
    ['EUR', 1_100],
    ['USD', 70],
  ]);
  // On a day, or in a currency, of which there is nothing finer, the account counts.
  await handle(
    figures(10, { campaignId: undefined, reportDate: '2026-11-19' }, spend(20_000)),
    figures(
      11,
      { campaignId: undefined, adSetId: 's', timestamp: '2026-11-23T06:00:00.000Z' },
      { ...spend(5), currency: 'USD' },
    ),
    figures(12, { campaignId: 'cmp-2', timestamp: '2026-11-23T06:00:00.000Z' }, { ...spend(6), currency: 'USD' }),
  );
  assert.equal(await billed(), [
    ['EUR', 29_000],
    ['USD', 81],
  ]);
  assert.equal(
    (await report(world, 'network')).map((row) => [row.currency, row.spendMicros]),
    [
      ['EUR', 29_000n],
      ['USD', 81n],
    ],
  );
});

test('sums of performance end the same in whatever order reports of all levels come', async () => {
  await using world = await createWorld();
  const reports = fc
    .array(fc.record({ set: fc.nat(1), ad: fc.nat(1), minute: fc.nat(3), spend: fc.nat(9), campaign: fc.nat(1) }), {
      minLength: 1,
      maxLength: 8,
    })
    .map((specs) =>
      specs.map((r, i) => ({
        handler: processIngestedPerformanceData,
        event: figures(
          i + 1,
          {
            timestamp: `2026-11-21T06:0${r.minute}:00.000Z`,
            ...(r.campaign === 0 ? { campaignId: undefined } : {}),
            ...(r.set === 0 ? {} : { adSetId: 's' }),
            ...(r.ad === 0 ? {} : { adId: 'a' }),
          },
          { spendMicros: r.spend },
        ),
      })),
    );
  await assertOrderIrrelevant(world, reports, ['ad_performance', 'ad_days', 'ad_network_days', 'ad_months'], {
    numRuns: 20,
  });
});

test.run();
