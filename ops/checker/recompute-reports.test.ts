import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readReportFigures } from './read-reports.ts';
import { recomputeReports, reportAds } from './recompute-reports.ts';
import type { SentEvent } from './recompute-invoices.ts';
import { attributeOrderData } from '../../core/contexts/analytics/attribute-order-data.ts';
import { processIngestedPerformanceData } from '../../core/contexts/analytics/process-ingested-performance-data.ts';
import { lanewayEvent, runHandler } from '../../core/testing/run-handler.ts';
import { createWorld } from '../../core/testing/world.ts';

const figures = (eventId: string, spendMicros: number, more: Record<string, unknown> = {}): SentEvent => ({
  eventId,
  eventType: 'AdPerformanceDataIngestedEvent',
  merchantId: 'shop-1',
  payload: {
    adNetworkId: 'meta',
    reportDate: '2026-11-20',
    metricsPayload: { impressions: 10, clicks: 1, conversions: 0, spendMicros, currency: 'EUR' },
    timestamp: '2026-11-21T06:00:00.000Z',
    ...more,
  },
});

const order = (eventId: string, orderId: string, more: Record<string, unknown> = {}): SentEvent => ({
  eventId,
  eventType: 'OrderDataAttributedToAdEvent',
  merchantId: 'shop-1',
  payload: {
    orderId,
    orderedAt: '2026-11-20T12:00:00.000Z',
    status: 'placed',
    totalMinor: 1_000,
    currency: 'EUR',
    touches: [{ adNetworkId: 'meta', campaignId: 'c', kind: 'click', at: '2026-11-19T12:00:00.000Z' }],
    timestamp: '2026-11-21T00:00:00.000Z',
    ...more,
  },
});

const sent: SentEvent[] = [
  figures('1', 5, { campaignId: 'a', adSetId: 's', adId: 'x' }),
  figures('2', 7, { campaignId: 'a', adSetId: 's' }),
  figures('3', 11, { campaignId: 'b' }),
  figures('4', 99, { campaignId: 'b', timestamp: '2026-11-21T05:00:00.000Z' }),
  figures('5', 900, { adNetworkId: 'tiktok' }),
  figures('6', 13, { adNetworkId: 'tiktok', campaignId: 'a' }),
  figures('11', 17, { adNetworkId: 'tiktok', reportDate: '2026-11-19' }),
  order('7', 'o-1'),
  order('8', 'o-1', { refundedMinor: 300, timestamp: '2026-11-22T00:00:00.000Z' }),
  order('9', 'o-2', { touches: [] }),
  order('10', 'o-3', { status: 'cancelled' }),
];

test('spend and revenue follow from the events alone, in any order and with repeats', () => {
  for (const events of [sent, sent.toReversed(), [...sent, ...sent]]) {
    const { spend, adSpend, revenue } = recomputeReports(events);
    assert.equal(Object.fromEntries(spend), {
      'shop-1 2026-11-20 meta EUR': 18,
      'shop-1 2026-11-20 tiktok EUR': 13,
      'shop-1 2026-11-19 tiktok EUR': 17,
    });
    assert.equal(Object.fromEntries(adSpend), {
      'shop-1 2026-11-20 meta a s x EUR': 5,
      'shop-1 2026-11-20 meta a s - EUR': 7,
    });
    assert.equal(Object.fromEntries(revenue), { 'shop-1 meta EUR': 700, 'shop-1 - EUR': 1_000 });
  }
});

test('the sums of the system are those of the events, and a sum that is off is named', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const run = (eventType: string, handler: Parameters<typeof runHandler>[1]) =>
    runHandler(
      db,
      handler,
      sent
        .filter((event) => event.eventType === eventType)
        .map(({ eventId, payload }, n) => lanewayEvent(n + 1, payload, { eventId })),
    );
  await run('AdPerformanceDataIngestedEvent', processIngestedPerformanceData);
  await run('OrderDataAttributedToAdEvent', attributeOrderData);
  const good = reportAds(sent, await readReportFigures(db));
  assert.equal(good.spend, { ours: { EUR: 48 }, recomputed: { EUR: 48 }, match: true, differences: [] });
  assert.equal(good.adSpend, { ours: { EUR: 12 }, recomputed: { EUR: 12 }, match: true, differences: [] });
  assert.equal(good.revenue, { ours: { EUR: 1_700 }, recomputed: { EUR: 1_700 }, match: true, differences: [] });
  assert.equal(good.roasMinorPerMillionMicros.match, true);
  await sql`update order_days set revenue_minor = 701 where ad_network_id = 'meta'`.execute(db);
  await sql`update ad_performance set spend_micros = 6 where ad_id = 'x'`.execute(db);
  const bad = reportAds(sent, await readReportFigures(db));
  assert.equal([bad.revenue.match, bad.revenue.differences], [false, ['shop-1 meta EUR: 701, 700']]);
  assert.equal([bad.adSpend.match, bad.adSpend.differences], [false, ['shop-1 2026-11-20 meta a s x EUR: 6, 5']]);
});

test.run();
