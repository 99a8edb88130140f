import fc from 'fast-check';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { handleProductDimensionUpdate } from './handle-product-dimension-update.ts';
import { processIngestedPerformanceData } from './process-ingested-performance-data.ts';
import { countProductDimensions, readPerformanceTotals } from './reads.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler, snapshot } from '../../testing/run-handler.ts';
import { assertOrderIrrelevant } from '../../testing/shuffle.ts';
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
  const reports = fc
    .uniqueArray(fc.record({ campaign: fc.nat(2), minute: fc.nat(3), spend: fc.nat(9) }), {
      minLength: 1,
      maxLength: 12,
      selector: (r) => JSON.stringify(r),
    })
    .map((specs) =>
      specs.map((r, i) => ({
        handler: processIngestedPerformanceData,
        event: report(i + 1, r.campaign, r.minute, r.spend),
      })),
    );
  await assertOrderIrrelevant(world, reports, ['ad_performance']);
});

test('a report of a day past its retention leaves the sums of the day as they are', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const old = report(1, 1, 1, 5);
  old.payload.reportDate = '2024-09-30';
  const kept = report(2, 1, 1, 5);
  kept.payload.reportDate = '2024-11-01';
  const { outcomes } = await runHandler(db, processIngestedPerformanceData, [old, kept]);
  assert.equal(outcomes, [{ kind: 'skip', reason: 'the day is past its retention' }, { kind: 'done' }]);
  const rows = await db.selectFrom('ad_days').select('day').execute();
  assert.equal(rows, [{ day: '2024-11-01' }]);
});

test('a report that comes twice leaves the figures as they were', async () => {
  await using world = await createWorld();
  const reports = [report(1, 1, 1, 5), report(2, 1, 2, 6), report(3, 2, 1, 7)];
  const { once, twice } = await runTwice(world, processIngestedPerformanceData, reports, ['ad_performance']);
  assert.is(twice, once);
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

const change = (n: number, operationType: string, second: number, title?: string, productId = 'sku-1') =>
  lanewayEvent(n, {
    productId,
    operationType,
    timestamp: `2026-11-23T10:00:${String(second).padStart(2, '0')}.000Z`,
    changedAttributes: title === undefined ? {} : { title },
  });

test('the product dimension follows the newest change and counts every event', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, handleProductDimensionUpdate, [change(1, 'create', 1, 'Shoe'), change(2, 'delete', 5)]);
  await runHandler(db, handleProductDimensionUpdate, [change(3, 'update', 3, 'late')]);
  const row = await db.selectFrom('product_dimensions').selectAll().executeTakeFirstOrThrow();
  assert.equal([row.title, row.active, row.changes], ['Shoe', false, 3]);
  await runHandler(db, handleProductDimensionUpdate, [change(4, 'create', 6, 'Hat', 'sku-2')]);
  const counts = await db.transaction().execute((trx) => countProductDimensions(trx, 'shop-1'));
  assert.equal(counts, { products: 2, active: 1 });
});

test('the versions of a product follow each other without a gap, one for each change of what reports show', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, handleProductDimensionUpdate, [
    change(1, 'create', 1, 'Shoe'),
    change(2, 'update', 2),
    change(3, 'update', 3, 'Shoe'),
    change(4, 'update', 5, 'Boot'),
    change(5, 'update', 4, 'late'),
  ]);
  await runHandler(db, handleProductDimensionUpdate, [change(6, 'update', 5, 'Boots'), change(7, 'delete', 9)]);
  const rows = await db.selectFrom('product_versions').selectAll().orderBy('valid_from').execute();
  assert.equal(
    rows.map((r) => [r.valid_from.getUTCSeconds(), r.valid_to?.getUTCSeconds(), r.title, r.active]),
    [
      [1, 5, 'Shoe', true],
      [5, 9, 'Boots', true],
      [9, undefined, 'Boots', false],
    ],
  );
});

test('what a superseded change brought is not carried along by a newer one of its run', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, handleProductDimensionUpdate, [change(1, 'create', 5, 'New')]);
  await runHandler(db, handleProductDimensionUpdate, [change(2, 'update', 3, 'Old'), change(3, 'update', 6)]);
  const row = await db.selectFrom('product_dimensions').selectAll().executeTakeFirstOrThrow();
  assert.equal([row.title, row.changes], ['New', 3]);
});

const history = Array.from({ length: 40 }, (_, i) =>
  change(i, i % 7 === 6 ? 'delete' : 'update', (i * 7) % 20, i % 3 === 0 ? undefined : `t${i}`, `sku-${i % 4}`),
);

test('a run of changes in one statement leaves the dimension as the same changes one by one', async () => {
  await using world = await createWorld();
  await using other = await createWorld();
  for (const half of [history.slice(0, 20), history.slice(20)])
    await runHandler(world.postgres.db, handleProductDimensionUpdate, half);
  await runHandler(other.postgres.db, handleProductDimensionUpdate, history, { alone: true });
  const tables = ['product_dimensions', 'product_versions'];
  assert.is(await snapshot(world.postgres.db, tables), await snapshot(other.postgres.db, tables));
});

test('changes that are handled again alter nothing in the dimension but its count', async () => {
  await using world = await createWorld();
  const { once, twice } = await runTwice(world, handleProductDimensionUpdate, history, [
    'product_dimensions',
    'product_versions',
  ]);
  assert.is(twice, once);
  const { rows } = await sql<{ changes: number }>`select sum(changes)::int as changes from product_dimensions`.execute(
    world.postgres.db,
  );
  // Each of three passes counted: that is how an event that is applied twice shows.
  assert.equal(rows, [{ changes: 120 }]);
});

test.run();
