import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../database/tables.ts';
import type { Requester } from './record-action.ts';

/** A wish to try one dead or parked pair again, or the effect of one. */
export interface RedriveRequest {
  /** Asking twice under one id is asking once. */
  id: string;
  merchantId: string;
  eventId: string;
  mseq: number;
  day: string;
  /** `handler@destination` where an effect gave up. */
  handler: string;
  requester: Requester;
}

export interface MovedBack {
  merchantId: string;
  eventId: string;
  mseq: number;
  day: string;
  /** The handler that the dead letter names; `handler@destination` where an effect gave up. */
  handler: string;
  /** The message that came back: asking twice for one message is asking once. */
  messageId: string;
}

const LOCK_TIMEOUT_MS = 2_000;

/**
 * A dead letter of an accepted event that somebody moved back to its queue is a wish to try again. The message itself must
 * not be run: its event is accepted, so it would be dropped as a duplicate. So the wish becomes a command to the lane, or
 * re-arms the intent whose effect gave up. Answers false when there is nothing to try again: the pair ended well meanwhile,
 * or never existed.
 *
 * The lane's row is locked, as its actor does, so that the actor cannot compute a `due_at` that misses the command; not for
 * longer than the lock timeout, since a slow window must not hold up a poller. The message then comes again.
 */
export async function requestRedrive(db: Kysely<Database>, moved: MovedBack, nowMs: number): Promise<boolean> {
  const { messageId, ...pair } = moved;
  const requester = { by: 'sqs-redrive', reason: 'moved back from the dead-letter queue' };
  return await db
    .transaction()
    .execute((trx) => requestRedriveIn(trx, { ...pair, id: `sqs-${messageId}`, requester }, nowMs));
}

/** The same within a transaction that records more, of whoever asks. */
export async function requestRedriveIn(
  trx: Transaction<Database>,
  request: RedriveRequest,
  nowMs: number,
): Promise<boolean> {
  await sql`select set_config('lock_timeout', ${String(LOCK_TIMEOUT_MS)}, true)`.execute(trx);
  const at = request.handler.indexOf('@');
  return at < 0
    ? await redriveHandler(trx, request, nowMs)
    : await redriveEffect(trx, request, request.handler.slice(0, at), request.handler.slice(at + 1), nowMs);
}

async function redriveHandler(trx: Transaction<Database>, request: RedriveRequest, nowMs: number): Promise<boolean> {
  const now = new Date(nowMs);
  const { id, merchantId, mseq, day, handler, requester } = request;
  const ended = await sql`
    select from settlements
    where merchant_id = ${merchantId} and day = ${day}::date and mseq = ${mseq} and handler = ${handler} and outcome = 'dead'
    union all
    select from deliveries
    where merchant_id = ${merchantId} and mseq = ${mseq} and handler = ${handler} and state = 'parked'
  `.execute(trx);
  if (ended.rows.length === 0) return false;
  await trx
    .insertInto('lanes')
    .values({ merchant_id: merchantId, due_at: now })
    .onConflict((conflict) =>
      conflict.column('merchant_id').doUpdateSet({ due_at: sql<Date>`least(lanes.due_at, excluded.due_at)` }),
    )
    .execute();
  // What blocks the lane is asked for again.
  await sql`
    update lanes l set state = 'active', state_reason = null, state_by = null, state_at = ${now}::timestamptz,
      wake = wake + 1
    where merchant_id = ${merchantId} and state = 'blocked' and cursor < ${mseq}
      and exists (select from deliveries d where d.merchant_id = l.merchant_id and d.mseq = ${mseq}
        and d.handler = ${handler} and d.state = 'parked')
  `.execute(trx);
  await trx
    .insertInto('redrives')
    .values({
      id,
      merchant_id: merchantId,
      mseq,
      day,
      handler,
      requested_by: requester.by,
      reason: requester.reason,
      requested_at: now,
      finished_at: null,
      result: null,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  return true;
}

/** The effect lane before its intents, as everyone who changes both. */
async function redriveEffect(
  trx: Transaction<Database>,
  { merchantId, eventId }: RedriveRequest,
  handler: string,
  destination: string,
  nowMs: number,
): Promise<boolean> {
  const now = new Date(nowMs);
  await trx
    .updateTable('effect_lanes')
    .set({ due_at: sql<Date>`least(due_at, ${now}::timestamptz)`, updated_at: now })
    .where('merchant_id', '=', merchantId)
    .where('destination', '=', destination)
    .execute();
  const { numUpdatedRows } = await trx
    .updateTable('intents')
    .set({ state: 'pending', attempt: 0, not_before: null, updated_at: now })
    .where('merchant_id', '=', merchantId)
    .where('destination', '=', destination)
    .where('event_id', '=', eventId)
    .where('handler', '=', handler)
    .where('state', '=', 'dead')
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}
