import { type Kysely, sql } from 'kysely';

const FIRST = '2026-01-01';
const YEARS = 10;

/**
 * Gives a table that is partitioned by a time a partition for each month of ten years, and one for everything else. An
 * empty partition costs a file of no size, and nothing has to make one in time.
 */
export async function makeMonthPartitions(db: Kysely<unknown>, table: string): Promise<void> {
  await sql`
    do $do$
    declare month date;
    begin
      for month in
        select generate_series(${sql.lit(FIRST)}::date, ${sql.lit(FIRST)}::date + interval '${sql.raw(String(YEARS * 12 - 1))} months',
          interval '1 month')::date
      loop
        execute format('create table %I partition of %I for values from (%L) to (%L)',
          ${sql.lit(table)} || '_' || to_char(month, 'YYYYMM'), ${sql.lit(table)}, month, month + interval '1 month');
      end loop;
      execute format('create table %I partition of %I default', ${sql.lit(table)} || '_other', ${sql.lit(table)});
    end $do$
  `.execute(db);
}
