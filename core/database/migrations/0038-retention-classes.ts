import { type Kysely, sql } from 'kysely';

/**
 * Retention of more than the audit log. Tables by month lose a month at once, as before; the others lose rows, a chunk at a
 * time. What may go, and how much of it there is, operators and workers ask here, so that neither needs to read the rows.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table retention_runs add column chunks integer not null default 0;

    create function retention_months(data_class text, before date) returns table (month text, row_count bigint)
    language plpgsql stable security definer set search_path = public, pg_temp set timezone = 'UTC' as $body$
    declare
      at text := case data_class
        when 'audit_log' then 'at' when 'webhook_attempts' then 'at' when 'affiliate_clicks' then 'clicked_at'
        when 'ad_performance' then 'report_date' when 'attributed_orders' then 'order_day'
        when 'order_lines' then 'order_day' when 'notifications' then 'requested_at'
        when 'notification_requests' then 'requested_at' when 'webhook_deliveries' then 'created_at' end;
    begin
      if at is null then raise exception '% has no retention', data_class; end if;
      return query execute format('select to_char(%1$I, ''YYYY-MM''), count(*) from %2$I where %1$I < $1 group by 1 order by 1',
        at, data_class) using before;
    end
    $body$;
    revoke all on function retention_months(text, date) from public;
    grant execute on function retention_months(text, date) to laneway_worker, laneway_operator;

    -- True while no legal hold keeps the class; none can be placed before the caller's transaction ends.
    create function retention_may_purge(data_class text) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $body$
    begin
      perform set_config('lock_timeout', '500ms', true);
      lock table legal_holds in share mode;
      return not exists (
        select from legal_holds h where h.data_class = retention_may_purge.data_class and h.released_at is null);
    end
    $body$;
    revoke all on function retention_may_purge(text) from public;
    grant execute on function retention_may_purge(text) to laneway_worker;

    create or replace function drop_archived_month(parent text, month date, archived bigint) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $body$
    declare
      part text := parent || '_' || to_char(month, 'YYYYMM');
      found bigint;
    begin
      if parent not in ('audit_log', 'webhook_attempts', 'affiliate_clicks') then
        raise exception '% has no months to drop', parent;
      end if;
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

    update schema_info set version = greatest(version, 38);
  `.execute(db);
}
