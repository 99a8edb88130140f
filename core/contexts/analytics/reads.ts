import { type Transaction, sql } from 'kysely';
import { countedOnce } from './counted-once.ts';
import type { Database } from '../../database/tables.ts';

export interface PerformanceTotal {
  adNetworkId: string;
  /** Sums never mix currencies. */
  currency: string;
  impressions: number;
  clicks: number;
  conversions: number;
  spendMicros: number;
}

/** A merchant's figures by network and currency, days inclusive: what reports of these days come to. */
export async function readPerformanceTotals(
  trx: Transaction<Database>,
  merchantId: string,
  { from, to }: { from: string; to: string },
): Promise<PerformanceTotal[]> {
  const range = sql`merchant_id = ${merchantId} and day between ${from}::date and ${to}::date`;
  const { rows } = await sql<PerformanceTotal>`
    select ad_network_id as "adNetworkId", currency, sum(impressions)::bigint as impressions,
      sum(clicks)::bigint as clicks, sum(conversions)::float8 as conversions, sum(spend_micros)::bigint as "spendMicros"
    from ad_network_days where ${range} and ${countedOnce(range)}
    group by ad_network_id, currency order by ad_network_id, currency
  `.execute(trx);
  return rows;
}

/** How many products of a merchant reports know, and how many of those are still offered. */
export async function countProductDimensions(
  trx: Transaction<Database>,
  merchantId: string,
): Promise<{ products: number; active: number }> {
  const { rows } = await sql<{ products: number; active: number }>`
    select count(*) as products, count(*) filter (where active) as active
    from product_dimensions where merchant_id = ${merchantId}
  `.execute(trx);
  return rows[0] ?? { products: 0, active: 0 };
}

export interface FiguresWindow {
  merchantId: string;
  /** Tells windows of one merchant apart. */
  days: number;
  /** Days, both inclusive. */
  from: string;
  to: string;
}

export interface CampaignFigures {
  merchantId: string;
  days: number;
  campaignId: string;
  /** Sums never mix currencies. */
  currency: string;
  impressions: number;
  clicks: number;
  orders: number;
  spendMicros: bigint;
  revenueMinor: bigint;
}

/** What the campaigns of each window cost and brought, on all networks together. */
export async function readCampaignFigures(
  trx: Transaction<Database>,
  windows: readonly FiguresWindow[],
): Promise<CampaignFigures[]> {
  if (windows.length === 0) return [];
  const { rows } = await sql<
    Omit<CampaignFigures, 'spendMicros' | 'revenueMinor'> & { spendMicros: string; revenueMinor: string }
  >`
    with windows as (
      select * from unnest(${windows.map((w) => w.merchantId)}::text[], ${windows.map((w) => w.days)}::int[],
        ${windows.map((w) => w.from)}::date[], ${windows.map((w) => w.to)}::date[]) as t (merchant_id, days, first, last)
    ), figures as (
      select w.merchant_id, w.days, a.campaign_id, a.currency, a.impressions, a.clicks, 0 as orders, a.spend_micros,
        0 as revenue_minor
      from windows w join ad_days a on a.merchant_id = w.merchant_id and a.day between w.first and w.last
      where a.campaign_id <> ''
      union all
      select w.merchant_id, w.days, o.campaign_id, o.currency, 0, 0, o.orders, 0, o.revenue_minor
      from windows w join order_days o on o.merchant_id = w.merchant_id and o.day between w.first and w.last
      where o.campaign_id <> ''
    )
    select merchant_id as "merchantId", days, campaign_id as "campaignId", currency, sum(impressions)::bigint as impressions,
      sum(clicks)::bigint as clicks, sum(orders)::bigint as orders, sum(spend_micros)::text as "spendMicros",
      sum(revenue_minor)::text as "revenueMinor"
    from figures group by 1, 2, 3, 4
  `.execute(trx);
  return rows.map((row) => ({
    ...row,
    spendMicros: BigInt(row.spendMicros),
    revenueMinor: BigInt(row.revenueMinor),
  }));
}

export interface DaySpend {
  merchantId: string;
  day: string;
  network: string;
  campaignId: string;
  currency: string;
  spendMicros: bigint;
}

/** What campaigns spent by day and network, from a day on, where figures as of `since` or later came. */
export async function readRecentSpend(
  trx: Transaction<Database>,
  { merchantIds, fromDay, since }: { merchantIds: readonly string[]; fromDay: string; since: Date },
): Promise<DaySpend[]> {
  if (merchantIds.length === 0) return [];
  const { rows } = await sql<Omit<DaySpend, 'spendMicros'> & { spendMicros: string }>`
    select merchant_id as "merchantId", day::text, ad_network_id as network, campaign_id as "campaignId", currency,
      spend_micros::text as "spendMicros"
    from ad_days where merchant_id = any(${merchantIds}::text[]) and day >= ${fromDay}::date and as_of >= ${since}
      and campaign_id <> ''
    order by merchant_id, day, ad_network_id, campaign_id
  `.execute(trx);
  return rows.map((row) => ({ ...row, spendMicros: BigInt(row.spendMicros) }));
}
