import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { ReportFigures } from './recompute-reports.ts';

/** What the system's sums say, by the keys that recomputing uses. */
export async function readReportFigures(db: Kysely<Database>): Promise<ReportFigures> {
  const spend = await sql<{ key: string; amount: string }>`
    select merchant_id || ' ' || day || ' ' || ad_network_id || ' ' || currency as key, sum(spend_micros)::text as amount
    from (select *, bool_or(not is_account) over (partition by merchant_id, day, ad_network_id, currency) as has_finer from ad_network_days) d
    where not (is_account and has_finer) group by 1
  `.execute(db);
  const adSpend = await sql<{ key: string; amount: string }>`
    select concat_ws(' ', merchant_id, report_date, ad_network_id, coalesce(nullif(campaign_id, ''), '-'),
      coalesce(nullif(ad_set_id, ''), '-'), coalesce(nullif(ad_id, ''), '-'), currency) as key,
      sum(spend_micros)::text as amount
    from ad_performance where ad_set_id <> '' or ad_id <> '' group by 1
  `.execute(db);
  const revenue = await sql<{ key: string; amount: string }>`
    select merchant_id || ' ' || coalesce(nullif(ad_network_id, ''), '-') || ' ' || currency as key,
      sum(revenue_minor)::text as amount
    from order_network_days group by 1
  `.execute(db);
  const figures = (rows: readonly { key: string; amount: string }[]) =>
    new Map(rows.map(({ key, amount }) => [key, Number(amount)]));
  return { spend: figures(spend.rows), adSpend: figures(adSpend.rows), revenue: figures(revenue.rows) };
}
