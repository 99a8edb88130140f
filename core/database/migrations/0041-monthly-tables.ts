import { type Kysely, sql } from 'kysely';

/**
 * Lets every table that is partitioned by a time have its months made ahead, one after the other, in place of ten years
 * of them at once: each partition costs every new connection's first look at the table.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create or replace function ensure_month_partitions(parent text, first_month date, months integer) returns void
    language plpgsql security definer set search_path = public, pg_temp as $body$
    declare
      month date;
      part text;
    begin
      if not exists (
        select from pg_partitioned_table p
        join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
        where p.partrelid = to_regclass(format('%I', parent)) and a.atttypid = 'timestamptz'::regtype
      ) then raise exception '% is not partitioned by month', parent; end if;
      perform pg_advisory_xact_lock(hashtext('laneway.partitions'));
      for month in select generate_series(date_trunc('month', first_month), date_trunc('month', first_month)
        + make_interval(months => months - 1), interval '1 month')::date loop
        part := parent || '_' || to_char(month, 'YYYYMM');
        continue when to_regclass(format('%I', part)) is not null;
        begin
          execute format('create table %I partition of %I for values from (%L) to (%L)',
            part, parent, month, month + interval '1 month');
        exception when check_violation then
          -- Rows dated ahead lie with the others already: the month stays there, and the months after it are made.
          null;
        end;
      end loop;
    end
    $body$;
    update schema_info set version = greatest(version, 41);
  `.execute(db);
}
