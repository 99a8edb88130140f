import type { Kysely, Transaction } from 'kysely';
import { recordChange } from '../core/operations/record-change.ts';
import { appendOutbox, eventRow } from '../core/database/outbox.ts';
import type { Database } from '../core/database/tables.ts';
import { asMerchant } from '../core/database/transaction.ts';
import type { BuiltEvent } from '../core/events/build.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { contentHash } from '../core/runtime/ids.ts';

/**
 * A change that a merchant asks for, made once however often it is asked for with one idempotency key.
 *
 *   no row ──claim──► claimed (only inside its transaction) ──commit──► kept ──24 h──► as if there were no row
 *                        └──rollback──► no row
 *
 * The key, the effect and the events commit together, so that there is no moment at which one is known and the others are
 * not, and a request that failed leaves the key free. Whoever asks with the same key meanwhile waits on the claim's row
 * and gets the answer, or `request.conflict` once the connection's lock timeout has passed.
 */
export interface Once {
  merchantId: string;
  /** Without one, the change is simply made. */
  key: string | undefined;
  /** Method, path and parsed body: what must be the same for the key to mean the same request. */
  request: readonly unknown[];
  /** Whose change it is, for the audit log. */
  by?: { actor: string; correlationId: string };
  /** Fired: nobody waits for the answer any more, and nothing may commit. */
  deadline: AbortSignal;
}

export interface Reply<Body> {
  status: number;
  location: string;
  body: Body;
}

export interface Change<Body> {
  reply: Reply<Body>;
  /** Published in this order after the commit. */
  events: readonly BuiltEvent[];
}

const KEY_LIFE_MS = 24 * 3_600_000;
const LOCK_NOT_AVAILABLE = '55P03';

export async function commitOnce<Body>(
  { db, clock }: { db: Kysely<Database>; clock: Clock },
  once: Once,
  work: (trx: Transaction<Database>) => Promise<Change<Body>>,
): Promise<Reply<Body> & { replayed: boolean }> {
  const now = clock.now();
  return await asMerchant(db, once.merchantId, async (trx) => {
    const kept = once.key === undefined ? undefined : await claim<Body>(trx, once, once.key, now);
    if (kept !== undefined) return { ...kept, replayed: true };
    const { reply, events } = await work(trx);
    if (once.key !== undefined) await keep(trx, once.merchantId, once.key, reply);
    if (once.by !== undefined) {
      const { merchantId, request, by } = once;
      const action = request.slice(0, 2).join(' ');
      await recordChange(trx, { merchantId, ...by, action, subject: reply.location }, now);
    }
    await appendOutbox(trx, events.map(eventRow), now);
    if (once.deadline.aborted) throw new LanewayError('handler.deadline', 'nobody waits for the answer any more');
    return { ...reply, replayed: false };
  });
}

/** Takes the key for this transaction, or gives what it was answered before. */
async function claim<Body>(
  trx: Transaction<Database>,
  { merchantId, request }: Once,
  key: string,
  now: number,
): Promise<Reply<Body> | undefined> {
  const requestHash = contentHash(request);
  const fresh = { request_hash: requestHash, status: 0, response: 'null', created_at: new Date(now) };
  const claimed = await trx
    .insertInto('idempotency_keys')
    .values({ merchant_id: merchantId, idempotency_key: key, ...fresh })
    .onConflict((conflict) =>
      conflict
        .columns(['merchant_id', 'idempotency_key'])
        .doUpdateSet(fresh)
        .where('idempotency_keys.created_at', '<=', new Date(now - KEY_LIFE_MS)),
    )
    .returning('status')
    .executeTakeFirst()
    .catch(refuseWhileRunning);
  if (claimed !== undefined) return undefined;
  const kept = await trx
    .selectFrom('idempotency_keys')
    .select(['request_hash', 'status', 'response'])
    .where('merchant_id', '=', merchantId)
    .where('idempotency_key', '=', key)
    .executeTakeFirstOrThrow();
  if (kept.request_hash !== requestHash)
    throw new LanewayError(
      'request.key_reused',
      'This Idempotency-Key was used for a different request within the last 24 hours. Use a new key for a new request.',
    );
  // `keep` wrote it, for a request with the same path.
  const { location, body } = kept.response as { location: string; body: string };
  return { status: kept.status, location, body: JSON.parse(body) as Body };
}

function refuseWhileRunning(error: unknown): never {
  if (error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE)
    throw new LanewayError(
      'request.conflict',
      'A request with this Idempotency-Key is still running; ask again soon.',
      {
        retry: 'backoff',
        cause: error,
      },
    );
  throw error;
}

/** The body as text inside the JSON: jsonb reorders keys, and a replay should be the answer byte for byte. */
async function keep(trx: Transaction<Database>, merchantId: string, key: string, reply: Reply<unknown>): Promise<void> {
  await trx
    .updateTable('idempotency_keys')
    .set({
      status: reply.status,
      response: JSON.stringify({ location: reply.location, body: JSON.stringify(reply.body) }),
    })
    .where('merchant_id', '=', merchantId)
    .where('idempotency_key', '=', key)
    .execute();
}
