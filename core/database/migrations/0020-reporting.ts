import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';

/** Orders that ads brought, and sums by campaign and day of what networks and shops report. */
const merchantTables = { read: ['attributed_orders', 'ad_days', 'order_days'], write: ['attribution_windows'] };

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table attribution_windows (
      merchant_id text collate "C" primary key,
      click_days integer not null check (click_days between 0 and 90),
      view_days integer not null check (view_days between 0 and 90),
      updated_at timestamptz not null
    );

    create table attributed_orders (
      merchant_id text collate "C" not null,
      order_id text collate "C" not null,
      order_day date not null,
      -- Both empty when no ad had a part in it.
      ad_network_id text collate "C" not null default '',
      campaign_id text collate "C" not null default '',
      touch text check (touch in ('click', 'view')),
      counts boolean not null,
      revenue_minor bigint not null,
      currency text not null,
      source_at timestamptz not null,
      source_event_id text collate "C" not null,
      updated_at timestamptz not null,
      primary key (merchant_id, order_id)
    ) with (fillfactor = 80);
    create index attributed_orders_of_campaign on attributed_orders (merchant_id, order_day, ad_network_id, campaign_id);

    create table order_days (
      merchant_id text collate "C" not null,
      day date not null,
      ad_network_id text collate "C" not null,
      campaign_id text collate "C" not null,
      currency text collate "C" not null,
      orders bigint not null,
      revenue_minor bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, day, ad_network_id, campaign_id, currency)
    ) with (fillfactor = 80);

    create table ad_days (
      merchant_id text collate "C" not null,
      day date not null,
      ad_network_id text collate "C" not null,
      campaign_id text collate "C" not null,
      currency text collate "C" not null,
      -- The network's own figures of its whole account: they are not added to those of campaigns.
      is_account boolean not null,
      impressions bigint not null,
      clicks bigint not null,
      conversions double precision not null,
      spend_micros bigint not null,
      as_of timestamptz not null,
      primary key (merchant_id, day, ad_network_id, campaign_id, currency)
    ) with (fillfactor = 80);
  `.execute(db);
  await grantMerchantTables(db, merchantTables);
  await sql`update schema_info set version = greatest(version, 20)`.execute(db);
}
