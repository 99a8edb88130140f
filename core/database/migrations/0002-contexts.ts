import { type Kysely, sql } from 'kysely';

/** State of the contexts: access, catalog, campaigns, ad networks, analytics. Money is in minor units or micros. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table merchants (
      merchant_id text collate "C" primary key,
      name text not null,
      created_at timestamptz not null
    );

    create table api_keys (
      key_hash bytea primary key,
      merchant_id text collate "C" not null references merchants,
      label text not null,
      created_at timestamptz not null,
      expires_at timestamptz
    );

    create table products (
      merchant_id text collate "C" not null,
      product_id text collate "C" not null,
      title text,
      price_minor bigint,
      currency text,
      availability text,
      attributes jsonb not null,
      source_at timestamptz not null,
      source_mseq bigint not null default 0,
      revision bigint not null default 1,
      deleted_at timestamptz,
      updated_at timestamptz not null,
      primary key (merchant_id, product_id)
    ) with (fillfactor = 80);

    create table product_dimensions (
      merchant_id text collate "C" not null,
      product_id text collate "C" not null,
      title text,
      brand text,
      active boolean not null,
      source_at timestamptz not null,
      source_mseq bigint not null default 0,
      changes bigint not null default 1,
      updated_at timestamptz not null,
      primary key (merchant_id, product_id)
    ) with (fillfactor = 80);

    create table campaigns (
      merchant_id text collate "C" not null,
      campaign_id text collate "C" not null,
      name text not null,
      state text not null check (state in ('draft', 'pending', 'active', 'paused', 'ended')),
      ad_network_ids text[] not null,
      daily_budget_minor bigint not null check (daily_budget_minor > 0),
      currency text not null,
      product_ids text[] not null default '{}',
      version bigint not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, campaign_id)
    );

    create table operations (
      merchant_id text collate "C" not null,
      operation_id text not null,
      campaign_id text collate "C" not null,
      version bigint not null,
      requested_state text not null,
      created_at timestamptz not null,
      primary key (merchant_id, operation_id)
    );

    create table campaign_network_states (
      merchant_id text collate "C" not null,
      campaign_id text collate "C" not null,
      ad_network_id text not null,
      desired_state text not null,
      desired_event_id text not null,
      desired jsonb not null,
      status text not null check (status in ('pending', 'live', 'failed')),
      actual_state text,
      external_id text,
      error_code text,
      error_message text,
      desired_at timestamptz not null,
      synced_at timestamptz,
      primary key (merchant_id, campaign_id, ad_network_id)
    ) with (fillfactor = 80);

    create table ad_performance (
      merchant_id text collate "C" not null,
      report_date date not null,
      ad_network_id text not null,
      campaign_id text not null default '',
      ad_set_id text not null default '',
      ad_id text not null default '',
      impressions bigint not null,
      clicks bigint not null,
      conversions double precision not null,
      spend_micros bigint not null,
      currency text not null,
      source_at timestamptz not null,
      source_event_id text collate "C" not null,
      updated_at timestamptz not null,
      primary key (merchant_id, report_date, ad_network_id, campaign_id, ad_set_id, ad_id)
    ) with (fillfactor = 80);

    create table idempotency_keys (
      merchant_id text collate "C" not null,
      idempotency_key text not null,
      request_hash text not null,
      status integer not null,
      response jsonb not null,
      created_at timestamptz not null,
      primary key (merchant_id, idempotency_key)
    );
    create index idempotency_keys_age on idempotency_keys (created_at);
  `.execute(db);
}
