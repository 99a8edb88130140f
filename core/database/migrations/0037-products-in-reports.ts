import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';

/** What products were called and when, which of them orders were for, and the sums of these by product and day. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table product_versions (
      merchant_id text collate "C" not null,
      product_id text collate "C" not null,
      -- At the source. Until the next version, or for ever.
      valid_from timestamptz not null,
      valid_to timestamptz,
      title text,
      brand text,
      active boolean not null,
      primary key (merchant_id, product_id, valid_from)
    ) with (fillfactor = 80);

    create table order_lines (
      merchant_id text collate "C" not null,
      order_id text collate "C" not null,
      -- Empty for what of the order belongs to no product.
      product_id text collate "C" not null,
      order_day date not null,
      ad_network_id text collate "C" not null,
      campaign_id text collate "C" not null,
      counts boolean not null,
      units bigint not null,
      revenue_minor bigint not null,
      currency text collate "C" not null,
      source_at timestamptz not null,
      primary key (merchant_id, order_id, product_id)
    );
    create index order_lines_of_product on order_lines
      (merchant_id, order_day, ad_network_id, campaign_id, product_id);

    create table product_days (
      merchant_id text collate "C" not null,
      day date not null,
      ad_network_id text collate "C" not null,
      campaign_id text collate "C" not null,
      product_id text collate "C" not null,
      currency text collate "C" not null,
      orders bigint not null,
      units bigint not null,
      revenue_minor bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, day, ad_network_id, campaign_id, product_id, currency)
    ) with (fillfactor = 80);
  `.execute(db);
  await grantMerchantTables(db, { read: ['product_versions', 'order_lines', 'product_days'], write: [] });
  await sql`update schema_info set version = greatest(version, 37)`.execute(db);
}
