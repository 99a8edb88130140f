import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readMoney } from './read-money.ts';
import { readReportFigures } from './read-reports.ts';
import { reportAds } from './recompute-reports.ts';
import type { SentEvent } from './recompute-invoices.ts';
import { reportMoney } from './report-money.ts';
import { attributeAffiliateConversion } from '../../core/contexts/affiliates/attribute-affiliate-conversion.ts';
import { saveAffiliate } from '../../core/contexts/affiliates/writes.ts';
import { processIngestedPerformanceData } from '../../core/contexts/analytics/process-ingested-performance-data.ts';
import { runBillingCycle } from '../../core/contexts/billing/run-billing-cycle.ts';
import { choosePlan } from '../../core/contexts/billing/writes.ts';
import { registry } from '../../core/events/registry.ts';
import { testKeyring } from '../../core/testing/keyring.ts';
import { lanewayEvent, runHandler } from '../../core/testing/run-handler.ts';
import { createWorld } from '../../core/testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const hashOf = (merchantId: string, customer: string) => testKeyring.pseudonym(merchantId, customer).toString('hex');
/** The same each time. */
const numbers = (seed: number) => {
  let state = seed;
  return (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.floor(state / 1_000) % below;
  };
};

/** A month of a shop: figures with restatements, orders with refunds, and the cycle at the end. */
function month(merchantId: string, seed: number): SentEvent[] {
  const next = numbers(seed);
  const events: SentEvent[] = [];
  const add = (eventType: string, payload: Record<string, unknown>) =>
    events.push({ eventId: `${merchantId}-${events.length}`, eventType, merchantId, payload });
  for (let n = 0; n < 120; n++) {
    // Few days, so that networks speak of accounts, campaigns and their parts on one of them.
    const day = String(1 + next(4)).padStart(2, '0');
    add('AdPerformanceDataIngestedEvent', {
      adNetworkId: ['meta', 'google_ads', 'tiktok'][next(3)],
      reportDate: `2026-10-${day}`,
      ...[{}, { campaignId: 'cmp-0' }, { campaignId: 'cmp-1' }][next(3)],
      ...[{}, {}, { adSetId: 'set' }][next(3)],
      ...[{}, {}, { adId: 'ad' }][next(3)],
      metricsPayload: {
        impressions: 10_000,
        clicks: next(9_000),
        conversions: 1,
        spendMicros: next(900_000_000),
        currency: ['EUR', 'JPY'][next(2)],
      },
      timestamp: new Date(Date.UTC(2026, 10, 1 + next(5), next(24))).toISOString(),
    });
  }
  for (let n = 0; n < 30; n++) {
    const timestamp = new Date(Date.UTC(2026, 9, 10 + next(15), next(24))).toISOString();
    const order = { orderId: `o-${n}`, currency: 'EUR', timestamp, amountMinor: 1 + next(20_000) };
    const touchpoints = Array.from({ length: next(4) }, () => ({
      affiliateId: ['blog', 'video', 'unknown'][next(3)],
      clickedAt: new Date(Date.UTC(2026, 8, 1 + next(55))).toISOString(),
    }));
    const customerRef = `customer-${next(4)}`;
    add('AffiliateConversionAttributionRequiredEvent', {
      ...order,
      conversionType: 'purchase',
      touchpoints,
      customerRef,
    });
    for (let refunds = next(3); refunds > 0; refunds--)
      add('AffiliateConversionAttributionRequiredEvent', {
        ...order,
        conversionType: 'refund',
        amountMinor: 1 + next(order.amountMinor),
        refundId: `r-${refunds}`,
      });
  }
  add('BillingCycleEvent', { merchantId, billingPeriod: '2026-10', timestamp: '2026-11-06T00:00:00.000Z' });
  return events;
}

const handlers = {
  AdPerformanceDataIngestedEvent: processIngestedPerformanceData,
  AffiliateConversionAttributionRequiredEvent: attributeAffiliateConversion,
  BillingCycleEvent: runBillingCycle,
} as const;

test('commissions and invoices are what an independent reckoning comes to; a cent that is wrong is found', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const shops = ['shop-1', 'shop-2', 'shop-3'];
  await db.transaction().execute(async (trx) => {
    for (const merchantId of shops)
      for (const [affiliateId, commissionPpm] of [
        ['blog', 47_500],
        ['video', 100_000],
      ] as const) {
        const affiliate = {
          affiliateId,
          name: affiliateId,
          commissionPpm,
          customerRef: 'customer-3',
          state: 'active',
        } as const;
        await saveAffiliate(trx, testKeyring, merchantId, affiliate, NOON);
      }
    await choosePlan(trx, 'shop-1', { planId: 'growth', fromDay: '2026-01-01' }, NOON);
    await choosePlan(trx, 'shop-2', { planId: 'growth', fromDay: '2026-10-04' }, NOON);
    await choosePlan(trx, 'shop-2', { planId: 'scale', fromDay: '2026-10-18' }, NOON);
  });
  const sent = shops.flatMap((merchantId, index) => month(merchantId, index + 1));
  let mseq = 0;
  for (const [eventType, handler] of Object.entries(handlers)) {
    const schema = registry.get(eventType)?.versions.at(-1)?.schema;
    for (const event of sent.filter((each) => each.eventType === eventType)) {
      mseq += 1;
      const { eventId, merchantId } = event;
      await runHandler(db, handler, [
        lanewayEvent(mseq, schema?.parse(event.payload), { eventId, eventType, merchantId }),
      ]);
    }
  }
  const good = reportMoney(sent, await readMoney(db), hashOf);
  assert.equal([good.commissions.differences, good.invoices.differences], [[], []]);
  assert.equal([good.commissions.match, good.invoices.match], [true, true]);
  assert.equal(reportAds(sent, await readReportFigures(db)).spend.differences, []);
  assert.ok((good.commissions.ours['EUR'] ?? 0) > 10_000 && (good.invoices.ours['JPY'] ?? 0) > 0);

  await sql`update invoices set total_minor = total_minor + 1 where merchant_id = 'shop-2' and currency = 'EUR'`.execute(
    db,
  );
  await sql`alter table affiliate_transfers disable trigger append_only`.execute(db);
  await sql`delete from affiliate_transfers where (merchant_id, transfer_id) = (
    select merchant_id, transfer_id from affiliate_transfers where kind = 'clawback' limit 1)`.execute(db);
  const bad = reportMoney(sent, await readMoney(db), hashOf);
  assert.equal([bad.commissions.match, bad.invoices.match], [false, false]);
  assert.equal([bad.commissions.differences.length, bad.invoices.differences.length], [1, 2]);
});

test.run();
