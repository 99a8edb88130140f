import { type Kysely, sql } from 'kysely';

/**
 * Which handlers count, and which worker has which. The table of the same name that was there before was never written: it
 * had a row for each merchant, which is one for each lane and handler to say what one row says.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    drop table handler_starts;

    create table handler_starts (
      handler text collate "C" primary key,
      event_type text collate "C" not null,
      generation bigint not null,
      started_at timestamptz not null,
      retired_at timestamptz
    );
    create index handler_starts_generation on handler_starts (generation);

    create table worker_handlers (
      worker text collate "C" primary key,
      handlers text[] not null,
      seen_at timestamptz not null
    );

    alter table redrives add column backfill boolean not null default false;

    grant select on handler_starts, worker_handlers to laneway_operator;
    update schema_info set version = greatest(version, 29);
  `.execute(db);
}
