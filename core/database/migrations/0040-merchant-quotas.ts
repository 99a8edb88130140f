import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';

/** How much of something a merchant may have, where operators have set it apart from its plan. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table merchant_quotas (
      merchant_id text collate "C" not null,
      resource text collate "C" not null,
      most integer not null check (most >= 0),
      set_by text not null,
      updated_at timestamptz not null,
      primary key (merchant_id, resource)
    );
  `.execute(db);
  await grantMerchantTables(db, { read: ['merchant_quotas'], write: [] });
  await sql`
    create policy operating on merchant_quotas to laneway_operator using (true) with check (true);
    grant select, insert, update, delete on merchant_quotas to laneway_operator;
    create policy operating on billing_subscriptions for select to laneway_operator using (true);
    grant select on billing_plans, billing_subscriptions to laneway_operator;
    update schema_info set version = greatest(version, 40);
  `.execute(db);
}
