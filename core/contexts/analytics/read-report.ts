import { type RawBuilder, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import { countedOnce } from './counted-once.ts';
import type { Database } from '../../database/tables.ts';
import { minorToMicros } from '../../money/currency.ts';
import { productFigures } from './report-products.ts';

export const reportGroups = ['day', 'network', 'campaign', 'product'] as const;
export type ReportGroup = (typeof reportGroups)[number];

/** Figures of one group in one currency: sums and ratios never mix currencies. Micros are of the currency's major unit. */
export interface ReportRow {
  /** The day, the network, or network and campaign; `adNetworkId` is empty for orders that no ad brought. */
  day: string | null;
  adNetworkId: string | null;
  campaignId: string | null;
  /** Empty for what belongs to no product; title and brand as they were on the days of the row. */
  productId: string | null;
  title: string | null;
  brand: string | null;
  currency: string;
  impressions: bigint;
  clicks: bigint;
  /** As the network counts them. */
  conversions: number;
  spendMicros: bigint;
  /** Orders that the merchant's own windows attribute, less those that were cancelled. */
  orders: bigint;
  /** Pieces sold; null where the report is not by product. */
  units: bigint | null;
  /** Less refunds. */
  revenueMicros: bigint;
  /** Null where nothing is to be divided by. */
  roas: string | null;
  ctr: string | null;
  cpaMicros: bigint | null;
  cpcMicros: bigint | null;
  cpmMicros: bigint | null;
  /** The newest reading or order that is in it: later ones restate it. */
  asOf: Date;
}

const whole = z.string().transform((text) => BigInt(text));
const sums = z.object({
  day: z.string().nullable(),
  adNetworkId: z.string().nullable(),
  campaignId: z.string().nullable(),
  productId: z.string().nullable(),
  title: z.string().nullable(),
  brand: z.string().nullable(),
  currency: z.string(),
  impressions: whole,
  clicks: whole,
  conversions: z.number(),
  spendMicros: whole,
  orders: whole,
  units: whole.nullable(),
  revenueMinor: whole,
  asOf: z.date(),
});

/** A merchant's report over days, both inclusive. At most `limit` rows, by group and currency. */
export async function readReport(
  trx: Transaction<Database>,
  merchantId: string,
  { from, to, groupBy, limit }: { from: string; to: string; groupBy: ReportGroup; limit: number },
): Promise<ReportRow[]> {
  const range = sql`merchant_id = ${merchantId} and day between ${from}::date and ${to}::date`;
  const figures = groupBy === 'product' ? productFigures(range) : campaignFigures(range, groupBy);
  // How many rows the steps of a report make, the planner cannot know: it expects one or two, and would compare each with
  // each.
  await sql`select set_config('enable_nestloop', 'off', true)`.execute(trx);
  const { rows } = await sql`
    with figures as (${figures})
    select day, network as "adNetworkId", campaign as "campaignId", product as "productId", title, brand, currency,
      sum(impressions)::text as impressions, sum(clicks)::text as clicks, sum(conversions)::float8 as conversions,
      sum(spend_micros)::text as "spendMicros", sum(orders)::text as orders, sum(units)::text as units,
      sum(revenue_minor)::text as "revenueMinor", max(as_of) as "asOf"
    from figures group by day, network, campaign, product, title, brand, currency
    order by day, network collate "C", campaign collate "C", product collate "C", currency collate "C", title collate "C",
      brand collate "C" limit ${limit}
  `.execute(trx);
  return rows.map((row) => withRatios(sums.parse(row)));
}

function campaignFigures(range: RawBuilder<unknown>, groupBy: Exclude<ReportGroup, 'product'>): RawBuilder<unknown> {
  const key = {
    day: sql`day::text as day, null::text as network, null::text as campaign`,
    network: sql`null::text as day, ad_network_id as network, null::text as campaign`,
    campaign: sql`null::text as day, ad_network_id as network, campaign_id as campaign`,
  }[groupBy];
  const rest = sql`${key}, null::text as product, null::text as title, null::text as brand, null::bigint as units`;
  // By campaign, the account is none.
  const chosen = groupBy === 'campaign' ? sql`not is_account` : countedOnce(range);
  return sql`
    select ${rest}, currency, impressions, clicks, conversions, spend_micros, 0 as orders, 0 as revenue_minor, as_of
    from ad_days where ${range} and ${chosen}
    union all
    select ${rest}, currency, 0, 0, 0, 0, orders, revenue_minor, as_of from order_days where ${range}
  `;
}

function withRatios({ revenueMinor, ...row }: z.infer<typeof sums>): ReportRow {
  const revenueMicros = revenueMinor * minorToMicros(1, row.currency);
  return {
    ...row,
    revenueMicros,
    roas: decimal(revenueMicros, row.spendMicros, 4),
    ctr: decimal(row.clicks, row.impressions, 6),
    cpaMicros: divide(row.spendMicros, row.orders),
    cpcMicros: divide(row.spendMicros, row.clicks),
    cpmMicros: divide(row.spendMicros * 1_000n, row.impressions),
  };
}

/** Rounded half up. */
const divide = (numerator: bigint, denominator: bigint): bigint | null =>
  denominator === 0n ? null : (numerator * 2n + denominator) / (denominator * 2n);

/** `2.5000` */
function decimal(numerator: bigint, denominator: bigint, digits: number): string | null {
  const scaled = divide(numerator * 10n ** BigInt(digits), denominator);
  if (scaled === null) return null;
  const text = scaled.toString().padStart(digits + 1, '0');
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
