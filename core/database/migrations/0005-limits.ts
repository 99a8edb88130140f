import { type Kysely, sql } from 'kysely';

/** What destinations allow, how long they have been away, and the clearing away of what is old and settled. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table quota_ledger (
      destination text collate "C" not null,
      window_ms integer not null,
      tokens double precision not null,
      refilled_at timestamptz not null,
      paused_until timestamptz,
      turn_at timestamptz,
      primary key (destination, window_ms)
    ) with (fillfactor = 50);

    alter table effect_lanes add column turn_at timestamptz;
    alter table intents add column first_unavailable_at timestamptz;
  `.execute(db);
}
