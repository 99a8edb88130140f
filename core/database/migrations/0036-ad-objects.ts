import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Ad sets and ads of campaigns, and how far each network has followed them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ad_objects (
      merchant_id text collate "C" not null,
      object_id text collate "C" not null,
      campaign_id text collate "C" not null,
      kind text not null check (kind in ('ad_set', 'ad')),
      ad_set_id text collate "C",
      name text not null,
      state text not null check (state in ('active', 'paused', 'ended')),
      settings jsonb not null,
      version bigint not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, object_id),
      check ((kind = 'ad') = (ad_set_id is not null))
    );
    create index ad_objects_campaign on ad_objects (merchant_id, campaign_id);

    create table ad_object_network_states (
      merchant_id text collate "C" not null,
      object_id text collate "C" not null,
      ad_network_id text collate "C" not null,
      desired_version bigint not null,
      status text not null check (status in ('pending', 'live', 'failed')),
      actual_state text,
      external_id text,
      error_code text,
      error_message text,
      synced_at timestamptz,
      primary key (merchant_id, object_id, ad_network_id)
    );
  `.execute(db);
  await protectMerchantTable(db, 'ad_objects', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'ad_object_network_states', ['select']);
}
