import { type Kysely, sql } from 'kysely';

/** When the platform is worked on: announced to merchants, and a time in which no messages are taken in. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table maintenance_windows (
      window_id text collate "C" primary key,
      starts_at timestamptz not null,
      ends_at timestamptz not null check (ends_at > starts_at),
      reason text not null,
      planned_by text not null,
      planned_at timestamptz not null,
      announced_at timestamptz,
      cancelled_by text,
      cancelled_at timestamptz
    );
    grant select, insert, update (cancelled_by, cancelled_at) on maintenance_windows to laneway_operator;
    revoke insert, delete on maintenance_windows from laneway_worker;
    grant select (window_id, starts_at, ends_at, reason, cancelled_at) on maintenance_windows to laneway_gateway;

    update schema_info set version = greatest(version, 39);
  `.execute(db);
}
