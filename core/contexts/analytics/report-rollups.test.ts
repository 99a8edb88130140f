import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attributeOrderData } from './attribute-order-data.ts';
import { handleProductDimensionUpdate } from './handle-product-dimension-update.ts';
import { processIngestedPerformanceData } from './process-ingested-performance-data.ts';
import { readReport, reportGroups } from './read-report.ts';
import { reckonReport, type Reckoned } from './testing/reckon-report.ts';
import type { Database } from '../../database/tables.ts';
import { empty, lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { waitFor } from '../../testing/wait-for.ts';
import { createWorld } from '../../testing/world.ts';

const tables = [
  'ad_performance',
  'ad_days',
  'attributed_orders',
  'order_lines',
  'order_days',
  'product_days',
  'product_dimensions',
  'product_versions',
  'ad_network_days',
  'ad_months',
  'order_network_days',
  'order_months',
  'product_thirds',
];

/** Days around the ends of thirds and months. */
const days = ['2026-09-30', '2026-10-01', '2026-10-10', '2026-10-11', '2026-10-19', '2026-10-31', '2026-11-01'];
const day = fc.constantFrom(...days);
const networks = ['google_ads', 'meta'];
const currency = fc.constantFrom('EUR', 'EUR', 'EUR', 'JPY');
const minute = fc.integer({ min: 0, max: 5 });

const figures = fc.record({
  kind: fc.constant('figures' as const),
  network: fc.constantFrom(...networks),
  level: fc.constantFrom('account', 'campaign', 'set', 'ad', 'set of none'),
  campaign: fc.nat(1),
  part: fc.nat(1),
  day,
  currency,
  minute,
  spend: fc.nat(1_000),
});
const order = fc.record({
  kind: fc.constant('order' as const),
  id: fc.nat(4),
  day,
  network: fc.constantFrom(...networks),
  campaign: fc.option(fc.nat(1)),
  lines: fc.uniqueArray(fc.record({ sku: fc.nat(2), total: fc.nat(99), refunded: fc.nat(120) }), { maxLength: 3 }),
  shipping: fc.nat(20),
  cancelled: fc.boolean(),
  currency,
  minute,
});
const rename = fc.record({
  kind: fc.constant('rename' as const),
  sku: fc.nat(2),
  name: fc.nat(2),
  day,
  hour: fc.nat(23),
});
type Step = typeof figures | typeof order | typeof rename extends fc.Arbitrary<infer T> ? T : never;

const payloadOf = (step: Step): unknown => {
  if (step.kind === 'rename')
    return {
      productId: `sku-${step.sku}`,
      operationType: 'update',
      timestamp: `${step.day}T${String(step.hour).padStart(2, '0')}:00:00.000Z`,
      changedAttributes: { title: `Name ${step.name}`, brand: 'Acme' },
    };
  const timestamp = `2026-11-21T06:0${step.minute}:00.000Z`;
  if (step.kind === 'figures')
    return {
      adNetworkId: step.network,
      reportDate: step.day,
      ...(step.level === 'account' || step.level === 'set of none' ? {} : { campaignId: `cmp-${step.campaign}` }),
      ...(step.level.startsWith('set') || step.level === 'ad' ? { adSetId: `set-${step.part}` } : {}),
      ...(step.level === 'ad' ? { adId: `ad-${step.part}` } : {}),
      metricsPayload: {
        impressions: step.spend * 2,
        clicks: step.spend % 7,
        conversions: step.spend / 10,
        spendMicros: step.spend,
        currency: step.currency,
      },
      timestamp,
    };
  const at = `${step.day}T12:00:00.000Z`;
  return {
    orderId: `o-${step.id}`,
    orderedAt: at,
    status: step.cancelled ? 'cancelled' : 'placed',
    totalMinor: step.lines.reduce((sum, { total }) => sum + total, step.shipping),
    currency: step.currency,
    touches:
      step.campaign === null
        ? []
        : [{ adNetworkId: step.network, campaignId: `cmp-${step.campaign}`, kind: 'click', at }],
    lines: step.lines.map(({ sku, total, refunded }) => ({
      productId: `sku-${sku}`,
      quantity: 1,
      totalMinor: total,
      refundedMinor: refunded,
    })),
    timestamp,
  };
};

const handlers = {
  figures: processIngestedPerformanceData,
  order: attributeOrderData,
  rename: handleProductDimensionUpdate,
};

const reported = (db: Kysely<Database>, groupBy: (typeof reportGroups)[number], from: string, to: string) =>
  db.transaction().execute(async (trx): Promise<Reckoned[]> => {
    const rows = await readReport(trx, 'shop-1', { from, to, groupBy, limit: 1_000 });
    return rows.map((row) => [
      row.day ?? '',
      row.adNetworkId ?? '',
      row.campaignId ?? '',
      row.productId ?? '',
      row.title ?? '',
      row.currency,
      ...[row.impressions, row.clicks, row.spendMicros, row.orders, row.units ?? 0n, row.revenueMicros].map(String),
      String(row.conversions),
      row.asOf.toISOString(),
    ]);
  });

const inOrder = (a: Reckoned, b: Reckoned): number => (a.join() < b.join() ? -1 : 1);

test('reports over any days are what facts, orders and names come to, however these are restated', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const batches = fc.array(
    fc.array(fc.oneof(figures, figures, order, order, rename), { minLength: 1, maxLength: 12 }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  const ranges = fc.array(fc.tuple(day, day), { minLength: 2, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(batches, ranges, async (steps, asked) => {
      await empty(db, tables);
      let n = 0;
      for (const batch of steps)
        for (const kind of ['figures', 'order', 'rename'] as const) {
          // Changes of a product come as they were made.
          const same = batch.filter((step) => step.kind === kind);
          const events = same.map((step) => lanewayEvent(++n, payloadOf(step)));
          if (events.length > 0) await runHandler(db, handlers[kind], events);
        }
      for (const [a, b] of [...asked, ['2026-10-01', '2026-10-31'] as const]) {
        const [from, to] = a <= b ? [a, b] : [b, a];
        for (const groupBy of reportGroups)
          assert.equal(
            (await reported(db, groupBy, from, to)).toSorted(inOrder),
            (await reckonReport(db, 'shop-1', groupBy, from, to)).toSorted(inOrder),
            `${groupBy} ${from} ${to}`,
          );
      }
    }),
    { numRuns: 40 },
  );
});

const spent = (campaign: number, spendMicros: number, minute = 0) =>
  lanewayEvent(campaign * 10 + minute, {
    adNetworkId: 'meta',
    reportDate: '2026-11-20',
    campaignId: `cmp-${campaign}`,
    metricsPayload: { impressions: 10, clicks: 1, conversions: 0.1, spendMicros, currency: 'EUR' },
    timestamp: `2026-11-21T06:0${minute}:00.000Z`,
  });

test('two transactions that restate campaigns of one day at once lose nothing', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, processIngestedPerformanceData, [spent(1, 100), spent(2, 200)]);
  const first = await db.startTransaction().execute();
  if (!('handleMany' in processIngestedPerformanceData)) throw new Error('figures are taken by the batch');
  await processIngestedPerformanceData.handleMany([spent(1, 1_000, 1), spent(3, 5)], {
    trx: first,
    signal: new AbortController().signal,
    now: Date.parse('2026-11-23T12:00:00.000Z'),
    emit: () => undefined,
    intend: () => undefined,
  });
  const second = runHandler(db, processIngestedPerformanceData, [spent(2, 20_000, 2), spent(4, 7)]);
  await waitFor('the second to wait for the first', async () => {
    const { rows } = await sql`select from pg_locks where not granted`.execute(db);
    return rows.length > 0;
  });
  await first.commit().execute();
  await second;
  assert.equal(
    (await reported(db, 'network', '2026-11-01', '2026-11-30')).map((row) => row.slice(6)),
    [['40', '4', '21012', '0', '0', '0', '0.4', '2026-11-21T06:02:00.000Z']],
  );
});

test('what no handler writes is in the sums too, and what is taken away is not', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, processIngestedPerformanceData, [spent(1, 100), spent(2, 200, 3)]);
  const asOf = async () => (await reported(db, 'day', '2026-11-20', '2026-11-20')).map((row) => [row[8], row.at(-1)]);
  await sql`update ad_days set spend_micros = 50 where campaign_id = 'cmp-1'`.execute(db);
  assert.equal(await asOf(), [['250', '2026-11-21T06:03:00.000Z']]);
  await sql`delete from ad_days where campaign_id = 'cmp-2'`.execute(db);
  assert.equal(await asOf(), [['50', '2026-11-21T06:00:00.000Z']]);
  await sql`delete from ad_days`.execute(db);
  assert.equal(await asOf(), []);
  const { rows } = await sql`select from ad_network_days union all select from ad_months`.execute(db);
  assert.is(rows.length, 0);
});

test.run();
