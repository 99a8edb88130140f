import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Offers, what orders took from their budgets, and which campaigns have followed them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table offers (
      merchant_id text collate "C" not null,
      offer_id text collate "C" not null,
      name text not null,
      state text not null check (state in ('draft', 'scheduled', 'running', 'ended')),
      discount jsonb not null,
      eligibility jsonb not null,
      stacking text not null check (stacking in ('exclusive', 'stackable')),
      priority integer not null,
      starts_at timestamptz not null,
      ends_at timestamptz check (ends_at > starts_at),
      currency text not null,
      budget_minor bigint check (budget_minor > 0),
      spent_minor bigint not null default 0,
      campaign_ids text[] not null default '{}',
      turns bigint not null default 0,
      turned_at timestamptz,
      due_at timestamptz,
      ended_by text check (ended_by in ('schedule', 'budget', 'merchant')),
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, offer_id)
    );
    create index offers_due on offers (due_at) where due_at is not null;
    create index offers_spent on offers (merchant_id) where state = 'running' and spent_minor >= budget_minor;
    create index offers_turned on offers (turned_at) where campaign_ids <> '{}';

    create table offer_discounts (
      merchant_id text collate "C" not null,
      order_id text collate "C" not null,
      offer_id text collate "C" not null,
      amount_minor bigint not null check (amount_minor >= 0),
      currency text not null,
      primary key (merchant_id, order_id, offer_id)
    );
    create table discounted_orders (
      merchant_id text collate "C" not null,
      order_id text collate "C" not null,
      source_at timestamptz not null,
      source_event_id text collate "C" not null,
      primary key (merchant_id, order_id)
    );

    create table sales_versions (
      merchant_id text collate "C" primary key,
      version bigint not null
    );

    create table campaign_offer_turns (
      merchant_id text collate "C" not null,
      campaign_id text collate "C" not null,
      turns bigint not null,
      primary key (merchant_id, campaign_id)
    );
  `.execute(db);
  await protectMerchantTable(db, 'offers', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'offer_discounts', ['select']);
  await protectMerchantTable(db, 'discounted_orders', []);
  await protectMerchantTable(db, 'sales_versions', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'campaign_offer_turns', []);
}
