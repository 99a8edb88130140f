import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';

/** Plans, who has which from when, invoices and how they were paid. Money in minor units, rates in parts per million. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table billing_plans (
      plan_id text collate "C" primary key,
      currency text not null,
      base_fee_minor bigint not null check (base_fee_minor >= 0),
      included_clicks bigint not null check (included_clicks >= 0),
      click_thousand_minor bigint not null check (click_thousand_minor >= 0),
      spend_fee_ppm integer not null check (spend_fee_ppm between 0 and 1000000)
    );
    insert into billing_plans values
      ('starter', 'EUR', 0, 10000, 50, 30000),
      ('growth', 'EUR', 4900, 100000, 40, 20000),
      ('scale', 'EUR', 24900, 1000000, 25, 10000);

    create table billing_subscriptions (
      merchant_id text collate "C" not null,
      from_day date not null,
      plan_id text references billing_plans,
      created_at timestamptz not null,
      primary key (merchant_id, from_day)
    );

    create table billing_accounts (
      merchant_id text collate "C" primary key,
      payment_method text,
      updated_at timestamptz not null
    );

    create table invoices (
      merchant_id text collate "C" not null,
      billing_period text not null,
      currency text not null,
      invoice_number text collate "C" not null,
      status text not null check (status in ('draft', 'open', 'paid', 'uncollectible')),
      lines jsonb not null,
      total_minor bigint not null check (total_minor >= 0),
      event_id text not null,
      issued_at timestamptz not null,
      finalized_at timestamptz,
      paid_at timestamptz,
      payment_attempts integer not null default 0,
      updated_at timestamptz not null,
      primary key (merchant_id, billing_period, currency),
      unique (merchant_id, invoice_number)
    ) with (fillfactor = 80);

    create table invoice_payments (
      merchant_id text collate "C" not null,
      invoice_number text collate "C" not null,
      attempt integer not null,
      provider_id text not null,
      amount_minor bigint not null,
      currency text not null,
      outcome text not null check (outcome in ('succeeded', 'declined')),
      decline_code text,
      at timestamptz not null,
      primary key (merchant_id, invoice_number, attempt)
    );

    create table payment_provider_events (
      provider_event_id text collate "C" not null,
      merchant_id text collate "C" not null,
      type text not null,
      received_at timestamptz not null,
      primary key (merchant_id, provider_event_id)
    );

    grant select on billing_plans to laneway_gateway;
  `.execute(db);
  await grantMerchantTables(db, {
    read: [],
    write: ['billing_subscriptions', 'billing_accounts', 'invoices', 'invoice_payments', 'payment_provider_events'],
  });
}
