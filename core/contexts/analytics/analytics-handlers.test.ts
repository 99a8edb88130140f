import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { handleProductDimensionUpdate } from './handle-product-dimension-update.ts';
import { processIngestedPerformanceData } from './process-ingested-performance-data.ts';
import { readPerformanceTotals } from './reads.ts';
import { empty, lanewayEvent, runHandler, snapshot } from '../../testing/run-handler.ts';
import { createWorld } from '../../testing/world.ts';

const report = (n: number, campaign: number, minute: number, spendMicros: number) =>
  lanewayEvent(n, {
    adNetworkId: 'meta',
    reportDate: '2026-11-22',
    campaignId: `cmp-${campaign}`,
    metricsPayload: { impressions: n, clicks: 1, conversions: 0.5, spendMicros, currency: 'EUR' },
    timestamp: `2026-11-23T06:${String(minute).padStart(2, '0')}:00.000Z`,
  });

test('performance reports end in the same state in whatever order and however often they come', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const reports = fc.uniqueArray(fc.record({ campaign: fc.nat(2), minute: fc.nat(3), spend: fc.nat(9) }), {
    minLength: 1,
    maxLength: 12,
    selector: (r) => JSON.stringify(r),
  });
  await fc.assert(
    fc.asyncProperty(reports, fc.infiniteStream(fc.nat()), fc.boolean(), async (specs, picks, alone) => {
      const events = specs.map((r, i) => report(i + 1, r.campaign, r.minute, r.spend));
      await empty(db, ['ad_performance']);
      await runHandler(db, processIngestedPerformanceData, events);
      const expected = await snapshot(db, ['ad_performance']);
      await empty(db, ['ad_performance']);
      const shuffled = [...events, ...events.filter((_, i) => i % 2 === 0)]
        .map((event) => ({ event, at: picks.next().value ?? 0 }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ event }) => event);
      await runHandler(db, processIngestedPerformanceData, shuffled, { alone });
      assert.is(await snapshot(db, ['ad_performance']), expected);
    }),
    { numRuns: 40 },
  );
});

test('a later report of a day replaces the earlier one, and totals never mix currencies', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const dollars = report(4, 3, 1, 7_000_000);
  dollars.payload.metricsPayload.currency = 'USD';
  await runHandler(db, processIngestedPerformanceData, [
    report(1, 1, 1, 5_000_000),
    report(2, 1, 2, 6_000_000),
    report(3, 2, 1, 1_000_000),
    dollars,
  ]);
  const totals = await db
    .transaction()
    .execute((trx) => readPerformanceTotals(trx, 'shop-1', { from: '2026-11-01', to: '2026-11-30' }));
  assert.equal(
    totals.map((t) => [t.adNetworkId, t.currency, t.spendMicros]),
    [
      ['meta', 'EUR', 7_000_000],
      ['meta', 'USD', 7_000_000],
    ],
  );
});

test('the product dimension follows the newest change and counts every event once', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const change = (n: number, operationType: string, second: number, title?: string) =>
    lanewayEvent(n, {
      productId: 'sku-1',
      operationType,
      timestamp: `2026-11-23T10:00:0${second}.000Z`,
      changedAttributes: title === undefined ? {} : { title },
    });
  await runHandler(db, handleProductDimensionUpdate, [change(1, 'create', 1, 'Shoe'), change(2, 'delete', 5)]);
  await runHandler(db, handleProductDimensionUpdate, [change(3, 'update', 3, 'late')]);
  const row = await db.selectFrom('product_dimensions').selectAll().executeTakeFirstOrThrow();
  assert.equal([row.title, row.active, row.changes], ['Shoe', false, 3]);
});

test.run();
