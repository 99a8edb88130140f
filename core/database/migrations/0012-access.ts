import { type Kysely, sql } from 'kysely';

/**
 * Keys of persons, users with roles, API keys with scopes, and the record of every change. The record only grows, whoever asks: a trigger refuses
 * the rest. What the log stream has not had yet is a table of its own, since identity numbers are not commit order.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table subject_keys (
      key_id text collate "C" primary key,
      merchant_id text collate "C" not null,
      subject bytea not null,
      master_id text not null,
      wrapped bytea,
      created_at timestamptz not null,
      destroyed_at timestamptz,
      check ((wrapped is null) = (destroyed_at is not null))
    );
    create unique index subject_keys_live on subject_keys (merchant_id, subject) where wrapped is not null;
    create index subject_keys_of_subject on subject_keys (merchant_id, subject);

    create table users (
      merchant_id text collate "C" not null references merchants,
      user_id text collate "C" not null,
      name bytea,
      email bytea,
      key_id text,
      role text not null check (role in ('owner', 'manager', 'analyst', 'operator')),
      disabled_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, user_id)
    );

    alter table api_keys
      add column key_id text,
      add column shown text,
      add column scopes text[],
      add column user_id text collate "C",
      add column revoked_at timestamptz,
      add column replaced_by text;
    create unique index api_keys_of_merchant on api_keys (merchant_id, key_id);

    create table audit_log (
      id bigint generated always as identity,
      at timestamptz not null,
      merchant_id text collate "C" not null,
      actor text not null,
      action text not null,
      subject text not null,
      before jsonb,
      after jsonb,
      correlation_id text not null,
      primary key (id, at)
    ) partition by range (at);
    create index audit_log_of_merchant on audit_log (merchant_id, id);
    create table audit_unexported (id bigint primary key, at timestamptz not null);

    create function refuse_change() returns trigger language plpgsql as $body$
      begin
        raise exception '% of % is refused: it only grows', lower(tg_op), tg_table_name using errcode = '42501';
      end
    $body$;
    create trigger audit_log_grows before update or delete on audit_log for each row execute function refuse_change();
    create trigger audit_log_stays before truncate on audit_log for each statement execute function refuse_change();

    create function announce_audit() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $body$
      begin
        insert into audit_unexported (id, at) values (new.id, new.at);
        return null;
      end
    $body$;
    create trigger audit_log_announced after insert on audit_log for each row execute function announce_audit();

    create function ensure_month_partitions(parent text, first_month date, months integer) returns void
    language plpgsql security definer set search_path = public, pg_temp as $body$
    declare
      month date;
      part text;
    begin
      if parent not in ('audit_log') then raise exception '% is not partitioned by month', parent; end if;
      perform pg_advisory_xact_lock(hashtext('laneway.partitions'));
      for month in select generate_series(date_trunc('month', first_month), date_trunc('month', first_month)
        + make_interval(months => months - 1), interval '1 month')::date loop
        part := parent || '_' || to_char(month, 'YYYYMM');
        if to_regclass(format('%I', part)) is null then
          execute format('create table %I partition of %I for values from (%L) to (%L)',
            part, parent, month, month + interval '1 month');
        end if;
      end loop;
    end
    $body$;
    revoke all on function ensure_month_partitions(text, date, integer) from public;
    grant execute on function ensure_month_partitions(text, date, integer) to laneway_worker;

    create function authenticate_key(hash bytea)
    returns table (merchant_id text, key_id text, scopes text[], user_id text, role text)
    language sql stable security definer set search_path = public, pg_temp as $body$
      select k.merchant_id, k.key_id, k.scopes, k.user_id, u.role
      from api_keys k left join users u on u.merchant_id = k.merchant_id and u.user_id = k.user_id
      where k.key_hash = hash and (k.expires_at is null or k.expires_at > now()) and k.revoked_at is null
        and (k.user_id is null or (u.user_id is not null and u.disabled_at is null))
    $body$;
    revoke all on function authenticate_key(bytea) from public;
    grant execute on function authenticate_key(bytea) to laneway_gateway, laneway_worker;

    revoke update, delete, truncate on audit_log from laneway_worker;
  `.execute(db);
  for (const table of ['users', 'api_keys', 'audit_log', 'subject_keys']) {
    await sql`
      alter table ${sql.table(table)} enable row level security;
      create policy everything on ${sql.table(table)} to laneway_worker using (true) with check (true);
      create policy reading on ${sql.table(table)} for select to laneway_reader using (true);
      create policy own_merchant on ${sql.table(table)} to laneway_gateway
        using (merchant_id = current_setting('laneway.merchant_id', true))
        with check (merchant_id = current_setting('laneway.merchant_id', true));
    `.execute(db);
  }
  await sql`
    alter table users force row level security;
    alter table audit_log force row level security;
    alter table subject_keys force row level security;
    grant select, insert, update on users to laneway_gateway;
    grant select (merchant_id, key_id, shown, label, scopes, user_id, created_at, expires_at, revoked_at, replaced_by),
      insert, update (expires_at, revoked_at, replaced_by) on api_keys to laneway_gateway;
    grant select, insert on audit_log to laneway_gateway;
    grant select, insert, update (wrapped, destroyed_at) on subject_keys to laneway_gateway;
    revoke select on subject_keys from laneway_reader;

    update schema_info set version = greatest(version, 12);
  `.execute(db);
}
