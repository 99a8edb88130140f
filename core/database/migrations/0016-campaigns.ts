import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Approval and schedules of campaigns, and commands that wait for a product. */
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

    update schema_info set version = greatest(version, 16);
  `.execute(db);
  await protectMerchantTable(db, 'campaign_settings', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'campaign_turns', ['select', 'insert', 'update', 'delete']);
  await protectMerchantTable(db, 'campaign_product_waits', []);
}
