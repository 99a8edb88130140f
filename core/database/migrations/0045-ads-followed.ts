import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** What was last read of a day of an ad, and what networks hold of ad sets and ads, which could not change until now. */
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

    alter table ad_object_network_states add column held jsonb;
    -- The owner sees no rows of merchants otherwise.
    alter table ad_objects no force row level security;
    alter table ad_object_network_states no force row level security;
    update ad_object_network_states s
      set held = jsonb_build_object('name', o.name, 'settings', o.settings -> s.ad_network_id)
      from ad_objects o
      where o.merchant_id = s.merchant_id and o.object_id = s.object_id and o.settings -> s.ad_network_id is not null;
    alter table ad_objects force row level security;
    alter table ad_object_network_states force row level security;

    update schema_info set version = greatest(version, 45);
  `.execute(db);
  await protectMerchantTable(db, 'ad_performance_reads', []);
}
