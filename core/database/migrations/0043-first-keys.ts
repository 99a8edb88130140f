import { type Kysely, sql } from 'kysely';

/**
 * Lets operators open a merchant's account with its first API key, and nothing more: whoever has a key makes others with it,
 * and an operator who could make them too could act for any merchant.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function open_merchant(opened text, called text, hash bytea, first_key_id text, first_shown text, by_whom text,
      at timestamptz) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $body$
    begin
      -- One after the other, so that two of them do not both find that there is no key.
      perform pg_advisory_xact_lock(hashtext('open_merchant:' || opened));
      if exists (select from api_keys k where k.merchant_id = opened) then return false; end if;
      insert into merchants (merchant_id, name, created_at) values (opened, called, at)
        on conflict (merchant_id) do update set name = excluded.name;
      insert into api_keys (key_hash, merchant_id, label, created_at, key_id, shown)
        values (hash, opened, 'first', at, first_key_id, first_shown);
      insert into audit_log (at, merchant_id, actor, action, subject, after, correlation_id)
        values (at, opened, 'operator:' || by_whom, 'api_key.created', first_key_id, jsonb_build_object('label', 'first'),
          'open-merchant');
      return true;
    end
    $body$;
    revoke all on function open_merchant(text, text, bytea, text, text, text, timestamptz) from public;
    grant execute on function open_merchant(text, text, bytea, text, text, text, timestamptz) to laneway_operator;
    update schema_info set version = greatest(version, 43);
  `.execute(db);
}
