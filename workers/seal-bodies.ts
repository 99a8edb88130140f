import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { type Keyring, seal, unseal } from '../core/people/keyring.ts';
import { keysFor, readKeys } from '../core/people/subject-keys.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import type { AcceptableEvent } from './accept-rows.ts';

/** What a sealed body belongs to: moved to another event, it does not open. */
const placeOf = (merchantId: string, eventId: string): string => JSON.stringify(['inbox', merchantId, eventId]);

/**
 * Encrypts the bodies of events about a person under the person's key, all of a batch with one look at the keys. What is
 * about nobody stays as it was received.
 */
export async function sealBodies<Event extends AcceptableEvent>(
  { db, keyring }: { db: Kysely<Database>; keyring: Keyring | undefined },
  events: readonly Event[],
  nowMs: number,
): Promise<readonly Event[]> {
  const about = events.flatMap((event) => (event.person === undefined ? [] : [{ event, person: event.person }]));
  if (about.length === 0) return events;
  if (keyring === undefined)
    throw new LanewayError('config.invalid', 'events about people need master keys', { retry: 'backoff' });
  const keys = await keysFor(
    db,
    keyring,
    about.map(({ event: { merchantId }, person }) => ({ merchantId, ...person })),
    nowMs,
  );
  const sealed = new Map(
    about.flatMap(({ event }, index) => {
      const key = keys[index];
      if (key === undefined) return [];
      const body = seal(key.dataKey, event.body, placeOf(event.merchantId, event.eventId));
      return [[event, { ...event, body, keyId: key.keyId }] as const];
    }),
  );
  return events.map((event) => sealed.get(event) ?? event);
}

interface Stored {
  eventId: string;
  /** Base64 while it is encrypted, text when it is open. */
  body: string;
  keyId: string | null;
  /** The person was erased: the body is noise and stays as it is. */
  erased?: boolean;
}

/** Decrypts what is encrypted, in place. Looks at keys only when there is something to open. */
export async function openBodies(
  db: Kysely<Database>,
  keyring: Keyring | undefined,
  rows: readonly (Stored & { merchantId: string })[],
): Promise<void> {
  const closed = rows.filter(({ keyId }) => keyId !== null);
  if (closed.length === 0) return;
  if (keyring === undefined)
    throw new LanewayError('people.key_unusable', 'this process has no master keys', { retry: 'backoff' });
  const keys = await readKeys(
    db,
    keyring,
    closed.flatMap(({ keyId }) => (keyId === null ? [] : [keyId])),
  );
  for (const row of closed) {
    const key = keys.get(row.keyId ?? '') ?? null;
    if (key === null) row.erased = true;
    else row.body = unseal(key, Buffer.from(row.body, 'base64'), placeOf(row.merchantId, row.eventId)).toString();
  }
}
