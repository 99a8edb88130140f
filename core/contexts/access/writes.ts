import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { hashApiKey } from './reads.ts';

/** Adds the merchant, or renames it. */
export async function createMerchant(
  db: Kysely<Database>,
  merchant: { merchantId: string; name: string },
  nowMs: number,
): Promise<void> {
  await db
    .insertInto('merchants')
    .values({ merchant_id: merchant.merchantId, name: merchant.name, created_at: new Date(nowMs) })
    .onConflict((conflict) => conflict.column('merchant_id').doUpdateSet({ name: merchant.name }))
    .execute();
}

/**
 * Makes a key for a merchant and returns it; only its hash is stored, so it cannot be shown again. 256 bits of randomness
 * need no slow hash, and the prefix lets secret scanners find a leaked one.
 */
export async function createApiKey(
  db: Kysely<Database>,
  input: { merchantId: string; label: string; expiresAt?: Date },
  nowMs: number,
): Promise<string> {
  const key = `lw_${randomBytes(32).toString('base64url')}`;
  await db
    .insertInto('api_keys')
    .values({
      key_hash: hashApiKey(key),
      merchant_id: input.merchantId,
      label: input.label,
      created_at: new Date(nowMs),
      expires_at: input.expiresAt ?? null,
    })
    .execute();
  return key;
}
