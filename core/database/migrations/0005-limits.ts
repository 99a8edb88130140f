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

  // Workers own no table, so they ask; whether a day may go is decided here, under the locks that the drop takes.
  await sql`
    create function drop_settled_day(old_day date) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $body$
    declare
      part text := to_char(old_day, 'YYYYMMDD');
    begin
      if old_day > (now() at time zone 'utc')::date - 7 then
        raise exception 'day % is too young to be dropped', old_day;
      end if;
      -- Lanes only move on: what they have passed they never come back to, so that this needs no lock.
      if exists (
        select from mailbox m left join lanes l using (merchant_id)
        where coalesce(l.cursor, 0) < m.next_mseq - 1 and coalesce(l.cursor_day, '2000-01-01') <= old_day
          and exists (select from inbox i where i.merchant_id = m.merchant_id and i.day = old_day
            and i.mseq > coalesce(l.cursor, 0)))
      then
        return false;
      end if;
      -- A redrive may ask for an old event at any time. Whoever waits for these locks makes others wait behind: not for long.
      perform set_config('lock_timeout', '200ms', true);
      perform pg_advisory_xact_lock(hashtext('laneway.partitions'));
      lock table deliveries, redrives in share mode;
      if exists (select from deliveries where day = old_day)
        or exists (select from redrives where day = old_day and finished_at is null)
        or exists (select from intents where day = old_day and state in ('pending', 'sending', 'unknown'))
      then
        return false;
      end if;
      execute format('drop table if exists %I, %I', 'inbox_' || part, 'settlements_' || part);
      return true;
    end
    $body$;
    revoke all on function drop_settled_day(date) from public;
    grant execute on function drop_settled_day(date) to laneway_worker;
  `.execute(db);
}
