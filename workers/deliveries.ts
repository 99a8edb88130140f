import { sql } from 'kysely';
import type { EngineTables } from '../core/database/tables.ts';
import type { Holds } from '../core/events/definition.ts';
import type { ErrorRecord } from '../core/runtime/errors.ts';
import type { LaneTransaction } from './lane-transaction.ts';

/**
 * Unfinished (event, handler) pairs. An event past the cursor has either no rows (nothing of it ran yet) or exactly one row
 * for each handler that is still to finish; an event up to the cursor has rows only for what was set aside.
 *
 * waiting ─► (settled, row gone)       its turn came at `not_before`
 * waiting ─► parked                    poison, kept until an operator acts
 * behind  ─► waiting                   the earlier event of its aggregate ended
 * parked  ─► waiting                   an operator asked for it again, or gave a verdict that ends it
 * redrive ─► (settled, row gone)       an operator asked for a dead pair again, or for one that never ran
 */
export interface Delivery {
  mseq: number;
  handler: string;
  day: string;
  eventId: string;
  eventType: string;
  state: EngineTables['deliveries']['state'];
  holds: Holds;
  holdKey: string | null;
  attempt: number;
  /** Times that a process died while it ran this pair. */
  crashes: number;
  /** Set by an operator: the pair is settled so, without running its handler. */
  verdict: 'skip' | 'dead' | null;
  notBefore: Date | null;
  firstError: ErrorRecord | null;
  lastError: ErrorRecord | null;
  createdAt: Date;
}

/** A lane with more open deliveries than this takes no new events until some are finished. */
export const MAX_OPEN_DELIVERIES = 1_000;

export async function readDeliveries(trx: LaneTransaction, merchantId: string): Promise<readonly Delivery[]> {
  const { rows } = await sql<Delivery>`
    select mseq, handler, day, event_id as "eventId", event_type as "eventType", state, holds, hold_key as "holdKey",
      attempt, crashes, verdict, not_before as "notBefore", first_error as "firstError", last_error as "lastError",
      created_at as "createdAt"
    from deliveries where merchant_id = ${merchantId} order by mseq, handler limit ${2 * MAX_OPEN_DELIVERIES}
  `.execute(trx);
  return rows;
}

export async function writeDeliveries(
  trx: LaneTransaction,
  merchantId: string,
  rows: readonly Delivery[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const now = new Date(nowMs);
  await trx
    .insertInto('deliveries')
    .values(
      rows.map((row) => ({
        merchant_id: merchantId,
        mseq: row.mseq,
        handler: row.handler,
        day: row.day,
        event_id: row.eventId,
        event_type: row.eventType,
        state: row.state,
        holds: row.holds,
        hold_key: row.holdKey,
        attempt: row.attempt,
        crashes: row.crashes,
        not_before: row.notBefore,
        first_error: row.firstError === null ? null : JSON.stringify(row.firstError),
        last_error: row.lastError === null ? null : JSON.stringify(row.lastError),
        created_at: row.createdAt,
        updated_at: now,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['merchant_id', 'mseq', 'handler']).doUpdateSet((set) => ({
        state: set.ref('excluded.state'),
        attempt: set.ref('excluded.attempt'),
        crashes: set.ref('excluded.crashes'),
        not_before: set.ref('excluded.not_before'),
        first_error: set.ref('excluded.first_error'),
        last_error: set.ref('excluded.last_error'),
        updated_at: now,
      })),
    )
    .execute();
}

/**
 * Removes finished pairs, and lets the next of each freed aggregate come: the one with the smallest mseq, now.
 * @param finished pairs that were settled; `holdKey` names the aggregate they held
 */
export async function finishDeliveries(
  trx: LaneTransaction,
  merchantId: string,
  finished: readonly Pick<Delivery, 'mseq' | 'handler' | 'holdKey'>[],
): Promise<void> {
  if (finished.length === 0) return;
  await sql`
    delete from deliveries d using unnest(${finished.map((f) => f.mseq)}::bigint[],
      ${finished.map((f) => f.handler)}::text[]) as f (mseq, handler)
    where d.merchant_id = ${merchantId} and d.mseq = f.mseq and d.handler = f.handler
  `.execute(trx);
  const freed = finished.filter((f) => f.holdKey !== null);
  if (freed.length === 0) return;
  await sql`
    update deliveries d set state = 'waiting', not_before = now(), updated_at = now()
    from (
      select d.handler, d.hold_key, min(d.mseq) as mseq
      from deliveries d
      join unnest(${freed.map((f) => f.handler)}::text[], ${freed.map((f) => f.holdKey)}::text[]) as f (handler, hold_key)
        on d.handler = f.handler and d.hold_key = f.hold_key
      where d.merchant_id = ${merchantId}
      group by d.handler, d.hold_key
    ) next
    where d.merchant_id = ${merchantId} and d.handler = next.handler and d.mseq = next.mseq and d.state = 'behind'
  `.execute(trx);
}

export const isDue = ({ state, notBefore }: Delivery, nowMs: number): boolean =>
  (state === 'waiting' || state === 'redrive') && (notBefore === null || notBefore.getTime() <= nowMs);

/** Looks at pairs again at that time; no attempt is counted. */
export async function postponeDeliveries(
  trx: LaneTransaction,
  merchantId: string,
  pairs: readonly Pick<Delivery, 'mseq' | 'handler'>[],
  untilMs: number,
): Promise<void> {
  await sql`
    update deliveries d set not_before = ${new Date(untilMs)}::timestamptz
    from unnest(${pairs.map((p) => p.mseq)}::bigint[], ${pairs.map((p) => p.handler)}::text[]) as p (mseq, handler)
    where d.merchant_id = ${merchantId} and d.mseq = p.mseq and d.handler = p.handler
  `.execute(trx);
}

/** The earliest time at which one of them may run; undefined when none will by itself. */
export function nextTry(open: readonly Delivery[]): Date | undefined {
  const times = open.flatMap(({ state, notBefore }) =>
    state === 'waiting' || state === 'redrive' ? [notBefore?.getTime() ?? 0] : [],
  );
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

/** Puts `open_deliveries` and `due_at` right where a command made the lane due and there was nothing to do. */
export async function recountDeliveries(trx: LaneTransaction, merchantId: string): Promise<void> {
  await sql`
    update lanes set open_deliveries = (select count(*) from deliveries where merchant_id = ${merchantId}),
      due_at = (select min(coalesce(not_before, now())) from deliveries
        where merchant_id = ${merchantId} and state in ('waiting', 'redrive'))
    where merchant_id = ${merchantId}
  `.execute(trx);
}

/**
 * Turns open redrive commands of a merchant into deliveries that are due now. What is parked keeps its place and what it
 * holds; what was dead and let others pass comes back alone, and so does what is back-filled. Of several commands for one pair the last counts. A command
 * for a pair that is neither ends here: it ended well meanwhile, or its event is gone.
 */
export async function absorbRedrives(trx: LaneTransaction, merchantId: string): Promise<void> {
  await sql`
    insert into deliveries (merchant_id, mseq, handler, day, event_id, event_type, state, holds, verdict, created_at,
      updated_at)
    select distinct on (r.mseq, r.handler) r.merchant_id, r.mseq, r.handler, r.day, i.event_id, i.event_type, 'redrive',
      'event', nullif(r.verdict, 'retry'), now(), now()
    from redrives r join inbox i on i.merchant_id = r.merchant_id and i.day = r.day and i.mseq = r.mseq
    where r.merchant_id = ${merchantId} and r.finished_at is null and (
      exists (select from settlements s where s.merchant_id = r.merchant_id and s.day = r.day and s.mseq = r.mseq
        and s.handler = r.handler and s.outcome = 'dead')
      or (r.backfill and not exists (select from settlements s where s.merchant_id = r.merchant_id and s.day = r.day
        and s.mseq = r.mseq and s.handler = r.handler))
      or exists (select from deliveries d where d.merchant_id = r.merchant_id and d.mseq = r.mseq
        and d.handler = r.handler and d.state = 'parked'))
    order by r.mseq, r.handler, r.requested_at desc
    on conflict (merchant_id, mseq, handler) do update set state = 'waiting', verdict = excluded.verdict,
      attempt = case when excluded.verdict is null then 0 else deliveries.attempt end, crashes = 0, not_before = null,
      updated_at = now()
      where deliveries.state = 'parked'
  `.execute(trx);
  await sql`
    update redrives r set finished_at = now(), result = 'nothing to redrive'
    where r.merchant_id = ${merchantId} and r.finished_at is null and not exists (
      select from deliveries d where d.merchant_id = r.merchant_id and d.mseq = r.mseq and d.handler = r.handler
        and d.state in ('waiting', 'redrive'))
  `.execute(trx);
}

/** Ends the commands for pairs that came to an end, or were parked again. */
export async function closeRedrives(
  trx: LaneTransaction,
  merchantId: string,
  ends: readonly { mseq: number; handler: string; result: string }[],
): Promise<void> {
  if (ends.length === 0) return;
  await sql`
    update redrives r set finished_at = now(), result = e.result
    from unnest(${ends.map((e) => e.mseq)}::bigint[], ${ends.map((e) => e.handler)}::text[],
      ${ends.map((e) => e.result)}::text[]) as e (mseq, handler, result)
    where r.merchant_id = ${merchantId} and r.mseq = e.mseq and r.handler = e.handler and r.finished_at is null
  `.execute(trx);
}
