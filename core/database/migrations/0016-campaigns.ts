import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Approval, schedules and rules of campaigns, and commands that wait for a product. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table campaigns
      add column start_at timestamptz,
      add column end_at timestamptz,
      add column requested_state text,
      add column review_reason text,
      add column reviewed_by text;
    alter table campaigns drop constraint campaigns_state_check;
    alter table campaigns add constraint campaigns_state_check check (state in ('draft', 'awaiting_approval', 'pending',
      'active', 'paused', 'ended', 'archived', 'rejected')) not valid;
    alter table campaigns validate constraint campaigns_state_check;

    create table campaign_settings (
      merchant_id text collate "C" primary key,
      approval_required boolean not null,
      updated_at timestamptz not null
    );

    create table campaign_turns (
      merchant_id text collate "C" not null,
      campaign_id text collate "C" not null,
      due_at timestamptz not null,
      primary key (merchant_id, campaign_id)
    );
    create index campaign_turns_due on campaign_turns (due_at);

    create table campaign_product_waits (
      merchant_id text collate "C" not null,
      event_id text collate "C" not null,
      since timestamptz not null,
      primary key (merchant_id, event_id)
    );

    create table campaign_rules (
      merchant_id text collate "C" not null,
      rule_id text collate "C" not null,
      name text not null,
      metric text not null check (metric in ('roas', 'cpa', 'spend')),
      pause_at bigint not null,
      resume_at bigint,
      window_days integer not null check (window_days between 1 and 30),
      least_spend_micros bigint not null,
      campaign_ids text[] not null default '{}',
      enabled boolean not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, rule_id)
    );
    create table campaign_rule_pauses (
      merchant_id text collate "C" not null,
      rule_id text collate "C" not null,
      campaign_id text collate "C" not null,
      paused_at timestamptz not null,
      version bigint not null,
      primary key (merchant_id, rule_id, campaign_id)
    );

    update schema_info set version = greatest(version, 16);
  `.execute(db);
  await protectMerchantTable(db, 'campaign_settings', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'campaign_turns', ['select', 'insert', 'update', 'delete']);
  await protectMerchantTable(db, 'campaign_product_waits', []);
  await protectMerchantTable(db, 'campaign_rules', ['select', 'insert', 'update', 'delete']);
  await protectMerchantTable(db, 'campaign_rule_pauses', ['select', 'delete']);
}
