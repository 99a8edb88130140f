import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';

/** Variants of products, and the feeds that carry them to the networks' catalogs. */
const merchantTables = {
  read: ['product_variants', 'feed_runs', 'feed_parts', 'feed_items'],
  write: ['catalog_feeds'],
};

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table product_variants (
      merchant_id text collate "C" not null,
      product_id text collate "C" not null,
      variant_id text collate "C" not null,
      attributes jsonb not null,
      source_at timestamptz not null,
      source_mseq bigint not null,
      deleted_at timestamptz,
      updated_at timestamptz not null,
      primary key (merchant_id, product_id, variant_id)
    ) with (fillfactor = 80);

    create table catalog_feeds (
      merchant_id text collate "C" not null,
      feed_id text collate "C" not null,
      network text not null check (network in ('google_merchant', 'meta_catalog')),
      account jsonb not null,
      state text not null default 'active' check (state in ('active', 'paused')),
      refresh_minutes integer not null check (refresh_minutes between 5 and 10080),
      full_refresh_hours integer not null check (full_refresh_hours between 1 and 720),
      last_run bigint not null default 0,
      last_full_at timestamptz,
      offers_version bigint not null default 0,
      due_at timestamptz,
      due_mode text not null default 'full' check (due_mode in ('full', 'delta')),
      check_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, feed_id)
    ) with (fillfactor = 70);
    create index catalog_feeds_due on catalog_feeds (due_at) where due_at is not null;
    create index catalog_feeds_check on catalog_feeds (check_at) where check_at is not null;

    -- What changed since it was last put into a run. A run takes rows by its number; a change meanwhile takes them back.
    create table feed_changes (
      merchant_id text collate "C" not null,
      feed_id text collate "C" not null,
      product_id text collate "C" not null,
      taken_by bigint,
      primary key (merchant_id, feed_id, product_id)
    ) with (fillfactor = 70);

    create table feed_runs (
      merchant_id text collate "C" not null,
      feed_id text collate "C" not null,
      run bigint not null,
      mode text not null check (mode in ('full', 'delta')),
      state text not null check (state in ('building', 'ready', 'submitted')),
      build_key text not null,
      items bigint not null default 0,
      removals bigint not null default 0,
      invalid bigint not null default 0,
      parts integer not null default 0,
      created_at timestamptz not null,
      ready_at timestamptz,
      primary key (merchant_id, feed_id, run)
    );

    -- JSON Lines, gzip.
    create table feed_parts (
      merchant_id text collate "C" not null,
      feed_id text collate "C" not null,
      run bigint not null,
      part integer not null,
      items integer not null,
      body bytea not null,
      submitted_at timestamptz,
      primary key (merchant_id, feed_id, run, part)
    );

    create table feed_items (
      merchant_id text collate "C" not null,
      feed_id text collate "C" not null,
      item_id text collate "C" not null,
      product_id text collate "C" not null,
      run bigint not null,
      content_hash text not null,
      expected jsonb not null default '{}',
      state text not null check (state in ('invalid', 'pending', 'submitted', 'accepted', 'rejected', 'removing', 'removed')),
      issues jsonb not null default '[]',
      submitted_at timestamptz,
      checked_at timestamptz,
      updated_at timestamptz not null,
      primary key (merchant_id, feed_id, item_id)
    ) with (fillfactor = 70);
    create index feed_items_of_product on feed_items (merchant_id, feed_id, product_id);
    create index feed_items_unchecked on feed_items (merchant_id, feed_id, item_id) where state = 'submitted';
  `.execute(db);
  await grantMerchantTables(db, merchantTables);
  await sql`update schema_info set version = greatest(version, 19)`.execute(db);
}
