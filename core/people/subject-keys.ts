import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/tables.ts';
import { newId } from '../runtime/ids.ts';
import { type Keyring, newDataKey } from './keyring.ts';

export interface Subject {
  merchantId: string;
  /** What the merchant calls the person. */
  subjectId: string;
  /** When what is to be encrypted happened, epoch milliseconds. */
  occurredAtMs: number;
}

export interface SubjectKey {
  keyId: string;
  dataKey: Buffer;
}

interface KeyRow {
  keyId: string;
  merchantId: string;
  subject: Buffer;
  masterId: string;
  wrapped: Buffer | null;
  destroyedAt: Date | null;
}

const identity = (merchantId: string, subject: Buffer): string => JSON.stringify([merchantId, subject.toString('hex')]);

/**
 * The keys under which to encrypt, in the order of the subjects; a person without one gets one. For something that happened
 * before the person was erased, and arrives only now, the key is the destroyed one's and its data key nobody's: it is
 * unreadable from the start.
 */
export async function keysFor(
  db: Kysely<Database>,
  keyring: Keyring,
  subjects: readonly Subject[],
  nowMs: number,
): Promise<SubjectKey[]> {
  if (subjects.length === 0) return [];
  const wanted = subjects.map((subject) => ({
    ...subject,
    pseudonym: keyring.pseudonym(subject.merchantId, subject.subjectId),
  }));
  const pairs = [...new Map(wanted.map((each) => [identity(each.merchantId, each.pseudonym), each])).values()];
  let found = Map.groupBy(await readRows(db, pairs), (row) => identity(row.merchantId, row.subject));
  const missing = pairs.filter(({ merchantId, pseudonym }) => {
    const rows = found.get(identity(merchantId, pseudonym)) ?? [];
    return !rows.some(({ wrapped }) => wrapped !== null);
  });
  if (missing.length > 0) {
    await insertKeys(db, keyring, missing, nowMs);
    found = Map.groupBy(await readRows(db, pairs), (row) => identity(row.merchantId, row.subject));
  }
  return wanted.map(({ merchantId, pseudonym, occurredAtMs }) => {
    const rows = found.get(identity(merchantId, pseudonym)) ?? [];
    const erased = rows.find(({ destroyedAt }) => destroyedAt !== null && occurredAtMs <= destroyedAt.getTime());
    if (erased !== undefined) return { keyId: erased.keyId, dataKey: newDataKey() };
    const live = rows.find(({ wrapped }) => wrapped !== null);
    if (live?.wrapped === undefined || live.wrapped === null) throw new Error('a key was destroyed while it was made');
    return { keyId: live.keyId, dataKey: keyring.unwrap(live.wrapped, live.keyId, live.masterId) };
  });
}

/** Data keys by id; null for those that are destroyed. Never kept: a key that was destroyed must be gone at once. */
export async function readKeys(
  db: Kysely<Database>,
  keyring: Keyring,
  keyIds: readonly string[],
): Promise<ReadonlyMap<string, Buffer | null>> {
  if (keyIds.length === 0) return new Map();
  const { rows } = await sql<Pick<KeyRow, 'keyId' | 'masterId' | 'wrapped'>>`
    select key_id as "keyId", master_id as "masterId", wrapped from subject_keys
    where key_id = any(${[...new Set(keyIds)]}::text[])
  `.execute(db);
  return new Map(
    rows.map(({ keyId, masterId, wrapped }) => [
      keyId,
      wrapped === null ? null : keyring.unwrap(wrapped, keyId, masterId),
    ]),
  );
}

type Pair = { merchantId: string; pseudonym: Buffer };

async function readRows(db: Kysely<Database>, pairs: readonly Pair[]): Promise<KeyRow[]> {
  const { rows } = await sql<KeyRow>`
    select k.key_id as "keyId", k.merchant_id as "merchantId", k.subject, k.master_id as "masterId", k.wrapped,
      k.destroyed_at as "destroyedAt"
    from unnest(${pairs.map((p) => p.merchantId)}::text[], ${pairs.map((p) => p.pseudonym)}::bytea[])
      as wanted (merchant_id, subject)
    join subject_keys k on k.merchant_id = wanted.merchant_id and k.subject = wanted.subject
  `.execute(db);
  return rows;
}

/** In one order, so that two who make the same keys wait for each other instead of for ever. */
async function insertKeys(
  db: Kysely<Database>,
  keyring: Keyring,
  pairs: readonly Pair[],
  nowMs: number,
): Promise<void> {
  const made = pairs.map((pair) => {
    const keyId = newId();
    return { ...pair, keyId, wrapped: keyring.wrap(newDataKey(), keyId) };
  });
  await sql`
    insert into subject_keys (key_id, merchant_id, subject, master_id, wrapped, created_at)
    select key_id, merchant_id, subject, ${keyring.masterId}, wrapped, ${new Date(nowMs)}::timestamptz
    from unnest(${made.map((m) => m.keyId)}::text[], ${made.map((m) => m.merchantId)}::text[],
      ${made.map((m) => m.pseudonym)}::bytea[], ${made.map((m) => m.wrapped)}::bytea[])
      as made (key_id, merchant_id, subject, wrapped)
    order by merchant_id collate "C", subject
    on conflict (merchant_id, subject) where wrapped is not null do nothing
  `.execute(db);
}

/**
 * Destroys the keys of a person; what was encrypted under them is noise from this commit on, in every store and copy of it.
 * Resolves with the ids of the keys. A person without any gets a destroyed one, so that what is still on its way arrives
 * unreadable.
 */
export async function eraseSubject(
  db: Kysely<Database>,
  keyring: Keyring,
  { merchantId, subjectId }: { merchantId: string; subjectId: string },
  nowMs: number,
): Promise<string[]> {
  const subject = keyring.pseudonym(merchantId, subjectId);
  const now = new Date(nowMs);
  const destroyed = await db
    .updateTable('subject_keys')
    .set({ wrapped: null, destroyed_at: now })
    .where('merchant_id', '=', merchantId)
    .where('subject', '=', subject)
    .where('wrapped', 'is not', null)
    .returning('key_id')
    .execute();
  if (destroyed.length > 0) return destroyed.map(({ key_id }) => key_id);
  const keyId = newId();
  await db
    .insertInto('subject_keys')
    .values({
      key_id: keyId,
      merchant_id: merchantId,
      subject,
      master_id: keyring.masterId,
      wrapped: null,
      created_at: now,
      destroyed_at: now,
    })
    .execute();
  return [keyId];
}
