import type { Kysely } from 'kysely';
import type { Database } from '../database/tables.ts';
import { LanewayError } from '../runtime/errors.ts';
import { type Keyring, seal, unseal } from './keyring.ts';
import { type Subject, keysFor, readKeys } from './subject-keys.ts';

/** What a context stores about a person, in one column beside the id of the key. */
export interface Sealed {
  sealed: Buffer;
  keyId: string;
}

/** A value as it is stored. Both null for one that was never sealed. */
export interface Stored {
  sealed: Buffer | null;
  keyId: string | null;
  /** What the value belongs to, as when it was sealed: moved elsewhere, it does not open. */
  belongsTo: string;
}

/** Throws `people.key_unusable` in a process without master keys. */
export function requireKeyring(keyring: Keyring | undefined): Keyring {
  if (keyring !== undefined) return keyring;
  throw new LanewayError('people.key_unusable', 'this process has no master keys', { retry: 'backoff' });
}

/** Seals values as JSON, each under its person's key, with one look at the keys. In the order of the values. */
export async function sealValues(
  db: Kysely<Database>,
  keyring: Keyring,
  values: readonly { subject: Subject; value: unknown; belongsTo: string }[],
  nowMs: number,
): Promise<Sealed[]> {
  const keys = await keysFor(
    db,
    keyring,
    values.map(({ subject }) => subject),
    nowMs,
  );
  return values.map(({ value, belongsTo }, index) => {
    const key = keys[index];
    if (key === undefined) throw new Error('a person was given no key');
    const plain = Buffer.from(JSON.stringify(value), 'utf8');
    return { sealed: seal(key.dataKey, plain, belongsTo), keyId: key.keyId };
  });
}

/** Opens values with one look at the keys. Undefined for one that was never sealed, and for one whose person is erased. */
export async function openValues(
  db: Kysely<Database>,
  keyring: Keyring,
  stored: readonly Stored[],
): Promise<unknown[]> {
  const keys = await readKeys(
    db,
    keyring,
    stored.flatMap(({ keyId }) => (keyId === null ? [] : [keyId])),
  );
  return stored.map(({ sealed, keyId, belongsTo }) => {
    const key = keys.get(keyId ?? '') ?? null;
    if (sealed === null || key === null) return undefined;
    const plain: unknown = JSON.parse(unseal(key, sealed, belongsTo).toString('utf8'));
    return plain;
  });
}
