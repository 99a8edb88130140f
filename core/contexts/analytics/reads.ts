import { type Transaction, sql } from 'kysely';
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

/** A merchant's figures by network and currency, days inclusive. */
export async function readPerformanceTotals(
  trx: Transaction<Database>,
  merchantId: string,
  { from, to }: { from: string; to: string },
): Promise<PerformanceTotal[]> {
  const { rows } = await sql<PerformanceTotal>`
    select ad_network_id as "adNetworkId", currency, sum(impressions)::bigint as impressions,
      sum(clicks)::bigint as clicks, sum(conversions) as conversions, sum(spend_micros)::bigint as "spendMicros"
    from ad_performance
    where merchant_id = ${merchantId} and report_date between ${from}::date and ${to}::date
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
