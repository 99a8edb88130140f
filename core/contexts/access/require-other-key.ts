import { type Transaction, sql } from 'kysely';
import { type Grant, exceeding } from './scopes.ts';
import type { Database } from '../../database/tables.ts';
import { LanewayError } from '../../runtime/errors.ts';

interface UnlimitedKey {
  keyId: string | null;
  userId: string | null;
  replaced: boolean;
}

/**
 * Lets keys go if another one can do everything or none of them could: others are made with such a key alone, so that a
 * merchant without one has no way back. Throws `access.last_key`. Whoever lets keys go waits for who does so already, and
 * sees what they did.
 */
export async function requireOtherKey(
  trx: Transaction<Database>,
  merchantId: string,
  goes: (key: UnlimitedKey) => boolean,
  nowMs: number,
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext(${`keys:${merchantId}`}))`.execute(trx);
  const keys = await readUnlimitedKeys(trx, merchantId, nowMs);
  if (keys.some(goes) && !keys.some((key) => !goes(key) && !key.replaced))
    throw new LanewayError('access.last_key', 'No other key could make keys; make one with the scope * first.');
}

/** Keys that work and have no limit, of their own or by their user. One that was replaced is about to end. */
async function readUnlimitedKeys(
  trx: Transaction<Database>,
  merchantId: string,
  nowMs: number,
): Promise<UnlimitedKey[]> {
  const { rows } = await sql<Grant & UnlimitedKey>`
    select k.key_id as "keyId", k.user_id as "userId", k.scopes, u.role, k.replaced_by is not null as replaced
    from api_keys k left join users u on u.merchant_id = k.merchant_id and u.user_id = k.user_id
    where k.merchant_id = ${merchantId} and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > ${new Date(nowMs)})
      and (k.user_id is null or (u.user_id is not null and u.disabled_at is null))
  `.execute(trx);
  return rows.filter((grant) => exceeding(grant, ['*']).length === 0);
}
