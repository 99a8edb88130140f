import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { ReportFigures } from './recompute-reports.ts';

/** What the system's sums say, by the keys that recomputing uses. */
export async function readReportFigures(db: Kysely<Database>): Promise<ReportFigures> {
  const spend = await sql<{ key: string; amount: string }>`
    select merchant_id || ' ' || day || ' ' || ad_network_id || ' ' || currency as key, sum(spend_micros)::text as amount
    from (select *, bool_or(is_account) over (partition by merchant_id, day, ad_network_id) as has_account from ad_days) d
    where is_account or not has_account group by 1
  `.execute(db);
  const revenue = await sql<{ key: string; amount: string }>`
    select merchant_id || ' ' || coalesce(nullif(ad_network_id, ''), '-') || ' ' || currency as key,
      sum(revenue_minor)::text as amount
    from order_days group by 1
  `.execute(db);
  const figures = (rows: readonly { key: string; amount: string }[]) =>
    new Map(rows.map(({ key, amount }) => [key, Number(amount)]));
  return { spend: figures(spend.rows), revenue: figures(revenue.rows) };
}
