import { type Kysely, sql } from 'kysely';

/**
 * Gives a table that is partitioned by a time a partition for the rows of every month that has none of its own: what
 * came late, or is dated far ahead. Those of the months to come are made by `ensurePartitions`.
 */
export async function makeOtherPartition(db: Kysely<unknown>, table: string): Promise<void> {
  await sql`create table ${sql.table(`${table}_other`)} partition of ${sql.table(table)} default`.execute(db);
}
