import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** What was last read of a day of an ad. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ad_performance_reads (
      merchant_id text collate "C" not null,
      ad_network_id text collate "C" not null,
      report_date date not null,
      ad_id text collate "C" not null,
      figures_hash text not null,
      read_at timestamptz not null,
      primary key (merchant_id, ad_network_id, report_date, ad_id)
    ) with (fillfactor = 80);

    update schema_info set version = greatest(version, 45);
  `.execute(db);
  await protectMerchantTable(db, 'ad_performance_reads', []);
}
