import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Ad accounts, what was read of them last, and what the reconciler found there. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ad_accounts (
      merchant_id text collate "C" not null,
      ad_network_id text not null,
      account_id text not null check (account_id ~ '^[0-9]{1,32}$'),
      connected_at timestamptz not null,
      primary key (merchant_id, ad_network_id)
    );

    create table performance_reads (
      merchant_id text collate "C" not null,
      ad_network_id text not null,
      campaign_id text collate "C" not null,
      report_date date not null,
      figures_hash text not null,
      read_at timestamptz not null,
      primary key (merchant_id, ad_network_id, report_date, campaign_id)
    ) with (fillfactor = 80);

    create table outside_campaigns (
      merchant_id text collate "C" not null,
      ad_network_id text not null,
      external_id text collate "C" not null,
      name text not null,
      state text not null check (state in ('active', 'paused', 'ended')),
      daily_budget_minor bigint,
      currency text not null,
      first_seen_at timestamptz not null,
      last_seen_at timestamptz not null,
      primary key (merchant_id, ad_network_id, external_id)
    );

    create table reconciliations (
      merchant_id text collate "C" not null,
      ad_network_id text not null,
      reconciled_at timestamptz not null,
      campaigns integer not null,
      drifted integer not null,
      twins integer not null,
      ended_outside integer not null,
      outside integer not null,
      primary key (merchant_id, ad_network_id)
    );

    update schema_info set version = greatest(version, 15);
  `.execute(db);
  await protectMerchantTable(db, 'ad_accounts', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'performance_reads', []);
  await protectMerchantTable(db, 'outside_campaigns', ['select']);
  await protectMerchantTable(db, 'reconciliations', ['select']);
}
