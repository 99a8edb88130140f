import { type Kysely, sql } from 'kysely';

/**
 * Whose turn it is to sweep, and how far the fleet's sweeping has come. What is due is read in pages, in an order in which
 * no two rows are alike: the indexes have it. Lanes that are paused or blocked are left out of theirs.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table sweep_turn (
      singleton boolean primary key default true check (singleton),
      holder text,
      began_at timestamptz not null default 'epoch',
      held_until timestamptz not null default 'epoch',
      recent_at timestamptz not null default 'epoch',
      full_at timestamptz not null default 'epoch',
      full_asked bigint not null default 0,
      full_done bigint not null default 0,
      due_lane jsonb,
      due_effect jsonb
    );
    insert into sweep_turn default values;

    create index lanes_due_active on lanes (due_at, merchant_id) where due_at is not null and state = 'active';
    create index effect_lanes_due_in_order on effect_lanes (due_at, merchant_id, destination) where due_at is not null;
    drop index effect_lanes_due;

    update schema_info set version = greatest(version, 54);
  `.execute(db);
}
