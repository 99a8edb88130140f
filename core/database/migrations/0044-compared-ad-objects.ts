import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** What comparing ad sets and ads with a network finds. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table outside_ad_objects (
      merchant_id text collate "C" not null,
      ad_network_id text collate "C" not null,
      kind text collate "C" not null check (kind in ('ad_set', 'ad')),
      external_id text collate "C" not null,
      parent_external_id text collate "C" not null,
      name text,
      state text not null check (state in ('active', 'paused')),
      first_seen_at timestamptz not null,
      last_seen_at timestamptz not null,
      primary key (merchant_id, ad_network_id, kind, external_id)
    );

    alter table reconciliations
      add column ad_objects integer not null default 0,
      add column ad_objects_drifted integer not null default 0,
      add column ad_objects_missing integer not null default 0,
      add column ad_objects_twins integer not null default 0,
      add column ad_objects_outside integer not null default 0;

    update schema_info set version = greatest(version, 44);
  `.execute(db);
  await protectMerchantTable(db, 'outside_ad_objects', ['select']);
}
