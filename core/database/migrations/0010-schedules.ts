import { type Kysely, sql } from 'kysely';

/** Which period of which scheduled job was worked, and how far. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table schedule_periods (
      job text collate "C" not null,
      period timestamptz not null,
      state text not null check (state in ('running', 'done')),
      after text collate "C" not null,
      events bigint not null default 0,
      pages bigint not null default 0,
      left_out boolean not null default false,
      started_at timestamptz not null,
      updated_at timestamptz not null,
      finished_at timestamptz,
      primary key (job, period)
    ) with (fillfactor = 70);
    create index schedule_periods_running on schedule_periods (job) where state = 'running';

    update schema_info set version = greatest(version, 10);
  `.execute(db);
}
