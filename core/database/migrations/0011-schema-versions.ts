import { type Kysely, sql } from 'kysely';

/** Which versions of which events some release reads, as its deployment says before producers may send them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table event_schema_versions (
      event_type text collate "C" not null,
      version text collate "C" not null,
      registered_at timestamptz not null,
      primary key (event_type, version)
    );
    revoke insert, update, delete on event_schema_versions from laneway_worker;

    update schema_info set version = greatest(version, 11);
  `.execute(db);
}
