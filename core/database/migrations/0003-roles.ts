import { type Kysely, sql } from 'kysely';

/**
 * Roles and what they may see. The gateway acts for one merchant at a time, named by the transaction-local setting
 * `laneway.merchant_id`; forced row-level security keeps every other merchant's rows from it even if a query forgets its
 * `where`. Workers see all merchants, readers (checkers, consoles, operators) read all and write nothing. The roles have
 * no password here: whoever provisions the database gives them one, or IAM authentication.
 */
const merchantTables = [
  'accepted',
  'settlements',
  'outbox',
  'outbox_heads',
  'products',
  'campaigns',
  'operations',
  'campaign_network_states',
  'ad_performance',
  'idempotency_keys',
];

const gatewayWrites = ['outbox', 'outbox_heads', 'campaigns', 'operations', 'idempotency_keys'];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const role of ['laneway_worker', 'laneway_gateway', 'laneway_reader']) {
    // Roles belong to the cluster, databases come and go: another database's migration may have made them just now.
    await sql`
      do $do$ begin
        perform pg_advisory_xact_lock(hashtext('laneway.roles'));
        if not exists (select from pg_roles where rolname = ${sql.lit(role)}) then
          create role ${sql.id(role)} nologin;
        end if;
      end $do$
    `.execute(db);
    await sql`grant usage on schema public to ${sql.id(role)}`.execute(db);
  }
  await sql`
    grant select, insert, update, delete on all tables in schema public to laneway_worker;
    grant usage, select on all sequences in schema public to laneway_worker;
    grant execute on function ensure_day_partitions(date, date) to laneway_worker;
    grant select on all tables in schema public to laneway_reader;
    alter default privileges in schema public grant select, insert, update, delete on tables to laneway_worker;
    alter default privileges in schema public grant select on tables to laneway_reader;
  `.execute(db);
  for (const table of merchantTables) {
    await sql`
      alter table ${sql.table(table)} enable row level security;
      alter table ${sql.table(table)} force row level security;
      create policy everything on ${sql.table(table)} to laneway_worker using (true) with check (true);
      create policy reading on ${sql.table(table)} for select to laneway_reader using (true);
      create policy own_merchant on ${sql.table(table)} to laneway_gateway
        using (merchant_id = current_setting('laneway.merchant_id', true))
        with check (merchant_id = current_setting('laneway.merchant_id', true));
      grant select on ${sql.table(table)} to laneway_gateway;
    `.execute(db);
  }
  for (const table of gatewayWrites) {
    await sql`grant insert, update on ${sql.table(table)} to laneway_gateway`.execute(db);
  }
  await sql`
    grant delete on idempotency_keys to laneway_gateway;
    grant select on schema_info to laneway_gateway;

    alter view applied set (security_invoker = true);

    create function authenticate_api_key(hash bytea) returns text
    language sql stable security definer set search_path = public, pg_temp as
    $body$ select merchant_id from api_keys where key_hash = hash and (expires_at is null or expires_at > now()) $body$;
    revoke all on function authenticate_api_key(bytea) from public;
    grant execute on function authenticate_api_key(bytea) to laneway_gateway, laneway_worker;
  `.execute(db);
}
