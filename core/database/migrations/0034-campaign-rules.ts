import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Rules that pause campaigns by their figures, and where each campaign stands with each of them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table campaign_rules (
      merchant_id text collate "C" not null,
      rule_id text collate "C" not null,
      name text not null,
      enabled boolean not null,
      definition jsonb not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, rule_id)
    );
    create index campaign_rules_enabled on campaign_rules (merchant_id) where enabled;

    create table campaign_rule_states (
      merchant_id text collate "C" not null,
      rule_id text collate "C" not null,
      campaign_id text collate "C" not null,
      tripped boolean not null,
      value bigint,
      changed_at timestamptz not null,
      paused_version bigint,
      primary key (merchant_id, rule_id, campaign_id),
      foreign key (merchant_id, rule_id) references campaign_rules on delete cascade
    );
  `.execute(db);
  await protectMerchantTable(db, 'campaign_rules', ['select', 'insert', 'update', 'delete']);
  await protectMerchantTable(db, 'campaign_rule_states', ['select', 'delete']);
}
