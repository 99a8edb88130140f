import { type Kysely, sql } from 'kysely';

/** What was archived and purged, what must be kept whatever the policies say, and how a month goes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table legal_holds (
      hold_id text primary key,
      data_class text collate "C" not null,
      reason text not null,
      placed_by text not null,
      placed_at timestamptz not null,
      released_by text,
      released_at timestamptz
    );
    create table retention_runs (
      data_class text collate "C" not null,
      month text collate "C" not null,
      state text not null check (state in ('dry-run', 'held', 'archiving', 'purged', 'failed')),
      rows bigint,
      manifest text,
      reason text,
      started_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (data_class, month)
    );

    create function drop_archived_month(parent text, month date, archived bigint) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $body$
    declare
      part text := parent || '_' || to_char(month, 'YYYYMM');
      found bigint;
    begin
      if parent not in ('audit_log') then raise exception '% has no months to drop', parent; end if;
      if month + interval '2 months' > now() then raise exception '% is too young to be dropped', part; end if;
      -- Whoever waits for this lock makes others wait behind: not for long.
      perform set_config('lock_timeout', '500ms', true);
      lock table legal_holds in share mode;
      if exists (select from legal_holds where data_class = parent and released_at is null) then return false; end if;
      if to_regclass(format('%I', part)) is null then return true; end if;
      execute format('lock table %I in access exclusive mode', part);
      execute format('select count(*) from %I', part) into found;
      if found <> archived then raise exception '% has % rows, % are archived', part, found, archived; end if;
      execute format('drop table %I', part);
      return true;
    end
    $body$;
    revoke all on function drop_archived_month(text, date, bigint) from public;
    grant execute on function drop_archived_month(text, date, bigint) to laneway_worker;
    revoke insert, update, delete on legal_holds from laneway_worker;
    grant select, insert, update (released_by, released_at) on legal_holds to laneway_operator;
    grant select on retention_runs to laneway_operator;

    update schema_info set version = greatest(version, 13);
  `.execute(db);
}
