import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';
import { makeOtherPartition } from './other-partition.ts';

/** Affiliates, their links and clicks, conversions, and the ledger of what they earned. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table affiliate_programs (
      merchant_id text collate "C" primary key,
      window_days integer not null check (window_days between 1 and 365),
      rule text not null check (rule in ('last_click', 'first_click')),
      updated_at timestamptz not null
    );

    create table affiliates (
      merchant_id text collate "C" not null,
      affiliate_id text collate "C" not null,
      name text not null,
      state text not null default 'active' check (state in ('active', 'paused')),
      commission_ppm integer not null check (commission_ppm between 0 and 1000000),
      customer_ref text,
      updated_at timestamptz not null,
      primary key (merchant_id, affiliate_id)
    );

    create table affiliate_links (
      code text collate "C" primary key,
      merchant_id text collate "C" not null,
      affiliate_id text collate "C" not null,
      target_url text not null,
      created_at timestamptz not null
    );
    create index affiliate_links_of_affiliate on affiliate_links (merchant_id, affiliate_id);

    create table affiliate_clicks (
      merchant_id text collate "C" not null,
      click_id text collate "C" not null,
      code text not null,
      affiliate_id text collate "C" not null,
      clicked_at timestamptz not null,
      visitor_hash text not null
    ) partition by range (clicked_at);
    create index affiliate_clicks_by_id on affiliate_clicks (merchant_id, click_id);

    create table affiliate_conversions (
      merchant_id text collate "C" not null,
      order_id text collate "C" not null,
      affiliate_id text collate "C",
      status text not null check (status in ('attributed', 'unattributed', 'withheld')),
      reason text,
      amount_minor bigint not null,
      currency text not null,
      commission_minor bigint not null check (commission_minor >= 0),
      occurred_at timestamptz not null,
      event_id text not null,
      primary key (merchant_id, order_id)
    );
    create index affiliate_conversions_of_affiliate on affiliate_conversions (merchant_id, affiliate_id, occurred_at);

    create table affiliate_refunds (
      merchant_id text collate "C" not null,
      order_id text collate "C" not null,
      refund_id text collate "C" not null,
      amount_minor bigint not null check (amount_minor >= 0),
      occurred_at timestamptz not null,
      primary key (merchant_id, order_id, refund_id)
    );

    create table affiliate_transfers (
      merchant_id text collate "C" not null,
      transfer_id text collate "C" not null,
      affiliate_id text collate "C" not null,
      kind text not null check (kind in ('commission', 'clawback', 'payout')),
      debit_account text not null,
      credit_account text not null check (credit_account <> debit_account),
      amount_minor bigint not null check (amount_minor > 0),
      currency text not null,
      order_id text,
      occurred_at timestamptz not null,
      recorded_at timestamptz not null,
      primary key (merchant_id, transfer_id)
    );
    create index affiliate_transfers_of_affiliate on affiliate_transfers (merchant_id, affiliate_id, currency, occurred_at);
    create index affiliate_transfers_of_order on affiliate_transfers (merchant_id, order_id) where order_id is not null;

    create function refuse_ledger_change() returns trigger language plpgsql as
    $body$ begin raise exception 'the ledger is append-only: write a transfer that corrects it'; end $body$;
    create trigger append_only before update or delete on affiliate_transfers
      for each row execute function refuse_ledger_change();

    create table affiliate_flags (
      merchant_id text collate "C" not null,
      affiliate_id text collate "C" not null,
      kind text not null check (kind in ('self_referral', 'conversion_burst')),
      subject text collate "C" not null,
      flagged_at timestamptz not null,
      primary key (merchant_id, affiliate_id, kind, subject)
    );

    create table affiliate_statements (
      merchant_id text collate "C" not null,
      affiliate_id text collate "C" not null,
      period text not null,
      currency text not null,
      commission_minor bigint not null,
      clawback_minor bigint not null,
      carried_minor bigint not null,
      payout_minor bigint not null check (payout_minor >= 0),
      issued_at timestamptz not null,
      primary key (merchant_id, affiliate_id, period, currency)
    );

    -- Whoever follows a link does not say whose it is.
    create function find_affiliate_link(wanted text)
    returns table (merchant_id text, affiliate_id text, target_url text)
    language sql stable security definer set search_path = public, pg_temp as
    $body$
      select l.merchant_id, l.affiliate_id, l.target_url from affiliate_links l
      join affiliates a on a.merchant_id = l.merchant_id and a.affiliate_id = l.affiliate_id and a.state = 'active'
      where l.code = wanted
    $body$;
    revoke all on function find_affiliate_link(text) from public;
    grant execute on function find_affiliate_link(text) to laneway_gateway, laneway_worker;
  `.execute(db);
  await makeOtherPartition(db, 'affiliate_clicks');
  await grantMerchantTables(db, {
    read: [
      'affiliate_conversions',
      'affiliate_refunds',
      'affiliate_transfers',
      'affiliate_flags',
      'affiliate_statements',
    ],
    write: ['affiliate_programs', 'affiliates', 'affiliate_links', 'affiliate_clicks'],
  });
  await sql`revoke update, delete, truncate on affiliate_transfers from laneway_worker`.execute(db);
}
