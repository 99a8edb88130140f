import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Audience segments, their members as hashes, and how far each network has followed. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table audience_segments (
      merchant_id text collate "C" not null,
      segment_id text collate "C" not null,
      name text not null,
      ad_network_ids text[] not null,
      state text not null check (state in ('active', 'deleted')),
      last_seq bigint not null default 0,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, segment_id)
    ) with (fillfactor = 80);

    create table audience_members (
      merchant_id text collate "C" not null,
      segment_id text collate "C" not null,
      member_key text collate "C" not null,
      identifiers jsonb not null,
      wanted boolean not null,
      seq bigint not null,
      updated_at timestamptz not null,
      primary key (merchant_id, segment_id, member_key)
    ) with (fillfactor = 80);
    create index audience_members_seq on audience_members (merchant_id, segment_id, seq);
    create index audience_members_key on audience_members (merchant_id, member_key);

    create table audience_network_states (
      merchant_id text collate "C" not null,
      segment_id text collate "C" not null,
      ad_network_id text not null,
      status text not null check (status in ('pending', 'live', 'failed', 'deleted')),
      external_id text,
      synced_seq bigint not null default 0,
      error_code text,
      error_message text,
      updated_at timestamptz not null,
      primary key (merchant_id, segment_id, ad_network_id)
    ) with (fillfactor = 80);

    update schema_info set version = greatest(version, 17);
  `.execute(db);
  await protectMerchantTable(db, 'audience_segments', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'audience_members', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'audience_network_states', ['select']);
}
