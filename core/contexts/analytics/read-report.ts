import { type RawBuilder, type Transaction, sql } from 'kysely';
import { countedOnce } from './counted-once.ts';
import type { Database } from '../../database/tables.ts';
import { minorToMicros } from '../../money/currency.ts';
import { productFigures } from './report-products.ts';
import { type Stretches, stretchesOf } from './stretches.ts';

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

/** Sums as text: they may leave what a number holds. */
interface Sums
  extends Omit<ReportRow, Whole | 'units' | 'revenueMicros' | Ratio>, Record<Whole | 'revenueMinor', string> {
  units: string | null;
}
type Whole = 'impressions' | 'clicks' | 'spendMicros' | 'orders';
type Ratio = 'roas' | 'ctr' | 'cpaMicros' | 'cpcMicros' | 'cpmMicros';

/** A merchant's report over days, both inclusive. At most `limit` rows, by group and currency. */
export async function readReport(
  trx: Transaction<Database>,
  merchantId: string,
  { from, to, groupBy, limit }: { from: string; to: string; groupBy: ReportGroup; limit: number },
): Promise<ReportRow[]> {
  const stretches = stretchesOf(from, to);
  const figures = {
    day: () => networkFigures(merchantId, stretches, sql`day::text as day, null::text as network`),
    network: () => networkFigures(merchantId, stretches, sql`null::text as day, ad_network_id as network`),
    campaign: () => campaignFigures(merchantId, stretches),
    product: () => productFigures(merchantId, stretches),
  }[groupBy]();
  // How many rows the steps of a report make, the planner cannot know: it expects one or two, and would compare each with
  // each. A few MB hold those of a year.
  await sql`select set_config('enable_nestloop', 'off', true), set_config('work_mem', '32MB', true)`.execute(trx);
  const { rows } = await sql<Sums>`
    with figures as (${figures})
    select day, network as "adNetworkId", campaign as "campaignId", product as "productId", title, brand, currency,
      sum(impressions)::text as impressions, sum(clicks)::text as clicks, sum(conversions)::float8 as conversions,
      sum(spend_micros)::text as "spendMicros", sum(orders)::text as orders, sum(units)::text as units,
      sum(revenue_minor)::text as "revenueMinor", max(as_of) as "asOf"
    from figures group by day, network, campaign, product, title, brand, currency
    order by day, network collate "C", campaign collate "C", product collate "C", currency collate "C", title collate "C",
      brand collate "C" limit ${limit}
  `.execute(trx);
  return rows.map(withRatios);
}

const noProduct = sql`null::text as product, null::text as title, null::text as brand, null::bigint as units`;
const noAds = sql`0 as impressions, 0 as clicks, 0 as conversions, 0 as spend_micros`;

function networkFigures(merchantId: string, { allDays }: Stretches, key: RawBuilder<unknown>): RawBuilder<unknown> {
  const range = sql`merchant_id = ${merchantId} and ${allDays}`;
  const rest = sql`${key}, null::text as campaign, ${noProduct}, currency`;
  return sql`
    select ${rest}, impressions, clicks, conversions, spend_micros, 0 as orders, 0 as revenue_minor, as_of
    from ad_network_days where ${range} and ${countedOnce(range)}
    union all
    select ${rest}, ${noAds}, orders, revenue_minor, as_of from order_network_days where ${range}
  `;
}

/** What is of an account as a whole is of no campaign. */
function campaignFigures(merchantId: string, { byMonth: { whole, otherDays } }: Stretches): RawBuilder<unknown> {
  const key = sql`null::text as day, ad_network_id as network, campaign_id as campaign, ${noProduct}, currency`;
  const ads = sql`${key}, impressions, clicks, conversions::numeric, spend_micros, 0 as orders, 0 as revenue_minor, as_of`;
  const orders = sql`${key}, ${noAds}, orders, revenue_minor, as_of`;
  return sql`
    select ${ads} from ad_months where merchant_id = ${merchantId} and ${whole}
    union all
    select ${ads} from ad_days where merchant_id = ${merchantId} and ${otherDays} and not is_account
    union all
    select ${orders} from order_months where merchant_id = ${merchantId} and ${whole}
    union all
    select ${orders} from order_days where merchant_id = ${merchantId} and ${otherDays}
  `;
}

function withRatios({ revenueMinor, ...texts }: Sums): ReportRow {
  const revenueMicros = BigInt(revenueMinor) * minorToMicros(1, texts.currency);
  const row = {
    ...texts,
    impressions: BigInt(texts.impressions),
    clicks: BigInt(texts.clicks),
    spendMicros: BigInt(texts.spendMicros),
    orders: BigInt(texts.orders),
    units: texts.units === null ? null : BigInt(texts.units),
  };
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
