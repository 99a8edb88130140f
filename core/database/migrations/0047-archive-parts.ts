import { type Kysely, sql } from 'kysely';

/** How far the archive of a month is that goes at once: its parts, until the month is gone. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table retention_parts (
      data_class text collate "C" not null,
      month text collate "C" not null,
      part integer not null check (part > 0),
      key text not null,
      rows integer not null check (rows > 0),
      sha256 text not null,
      last_place text not null,
      primary key (data_class, month, part)
    );

    update schema_info set version = greatest(version, 47);
  `.execute(db);
}
