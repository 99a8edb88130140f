import { randomBytes } from 'node:crypto';
import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type Requester, recordAction } from '../../operations/record-action.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';
import { hashApiKey } from './reads.ts';
import { requireOtherKey } from './require-other-key.ts';

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

export interface NewApiKey {
  merchantId: string;
  label: string;
  expiresAt?: Date | null;
  /** Absent or null: what its user may do, or everything. */
  scopes?: readonly string[] | null;
  userId?: string | null;
}

/** `key` is shown this once: only its hash is stored. */
export interface IssuedApiKey {
  keyId: string;
  key: string;
}

const SHOWN_CHARACTERS = 11;

/** 256 bits of randomness need no slow hash, and the prefix lets secret scanners find a leaked one. */
function newKey(): IssuedApiKey & { shown: string } {
  const key = `lw_${randomBytes(32).toString('base64url')}`;
  return { key, keyId: `key-${newId()}`, shown: key.slice(0, SHOWN_CHARACTERS) };
}

/** Makes a key for a merchant. */
export async function issueApiKey(db: Kysely<Database>, input: NewApiKey, nowMs: number): Promise<IssuedApiKey> {
  const { key, keyId, shown } = newKey();
  await db
    .insertInto('api_keys')
    .values({
      key_hash: hashApiKey(key),
      merchant_id: input.merchantId,
      label: input.label,
      created_at: new Date(nowMs),
      expires_at: input.expiresAt ?? null,
      key_id: keyId,
      shown,
      scopes: input.scopes === undefined || input.scopes === null ? null : [...input.scopes],
      user_id: input.userId ?? null,
    })
    .execute();
  return { keyId, key };
}

/**
 * Opens a merchant's account with a key that may do everything, as an operator, who cannot make another one. Throws
 * `operators.refused` when the merchant has had a key.
 */
export async function openMerchant(
  db: Kysely<Database>,
  opening: { merchantId: string; name: string; requester: Requester },
  nowMs: number,
): Promise<IssuedApiKey> {
  const { merchantId, name, requester } = opening;
  const { key, keyId, shown } = newKey();
  return await db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ opened: boolean }>`
      select open_merchant(${merchantId}, ${name}, ${hashApiKey(key)}, ${keyId}, ${shown}, ${requester.by},
        ${new Date(nowMs)}) as opened`.execute(trx);
    if (rows[0]?.opened !== true)
      throw new LanewayError('operators.refused', `${merchantId} has keys: others are made with them, through the API`);
    await recordAction(trx, { action: 'merchant.open', merchantId, requester, after: { name, keyId } }, nowMs);
    return { keyId, key };
  });
}

export const createApiKey = async (db: Kysely<Database>, input: NewApiKey, nowMs: number): Promise<string> =>
  (await issueApiKey(db, input, nowMs)).key;

/**
 * Makes a key that may do what the old one may, and lets the old one end after the overlap, so that callers can change over
 * one by one. Throws `resource.not_found` for a key that is gone, revoked or replaced.
 */
export async function rotateApiKey(
  trx: Transaction<Database>,
  { merchantId, keyId, overlapMs }: { merchantId: string; keyId: string; overlapMs: number },
  nowMs: number,
): Promise<IssuedApiKey & { oldExpiresAt: Date }> {
  const old = await trx
    .selectFrom('api_keys')
    .select(['label', 'scopes', 'user_id', 'expires_at'])
    .where('merchant_id', '=', merchantId)
    .where('key_id', '=', keyId)
    .where('revoked_at', 'is', null)
    .where('replaced_by', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (old === undefined || (old.expires_at !== null && old.expires_at.getTime() <= nowMs))
    throw new LanewayError('resource.not_found', `There is no key ${keyId} that could be rotated.`);
  const issued = await issueApiKey(
    trx,
    { merchantId, label: old.label, scopes: old.scopes, userId: old.user_id },
    nowMs,
  );
  const oldExpiresAt = new Date(Math.min(nowMs + overlapMs, old.expires_at?.getTime() ?? Number.MAX_SAFE_INTEGER));
  await trx
    .updateTable('api_keys')
    .set({ expires_at: oldExpiresAt, replaced_by: issued.keyId })
    .where('merchant_id', '=', merchantId)
    .where('key_id', '=', keyId)
    .execute();
  return { ...issued, oldExpiresAt };
}

/**
 * Ends a key now. Throws `resource.not_found` for one that is gone or revoked already, and `access.last_key` for the only one
 * that can do everything: others are made with it alone.
 */
export async function revokeApiKey(
  trx: Transaction<Database>,
  { merchantId, keyId }: { merchantId: string; keyId: string },
  nowMs: number,
): Promise<void> {
  await requireOtherKey(trx, merchantId, (key) => key.keyId === keyId, nowMs);
  const { numUpdatedRows } = await trx
    .updateTable('api_keys')
    .set({ revoked_at: new Date(nowMs) })
    .where('merchant_id', '=', merchantId)
    .where('key_id', '=', keyId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new LanewayError('resource.not_found', `There is no key ${keyId} to revoke.`);
}
