import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/tables.ts';
import { newId } from '../runtime/ids.ts';
import type { Requester } from './record-action.ts';

/** The events of one day that a handler never ran for, since it counts only from later ones on. */
export interface BackfillScope {
  handler: string;
  eventType: string;
  day: string;
  /** One merchant only. */
  merchantId?: string | undefined;
}

export interface MissedEvent {
  merchantId: string;
  mseq: number;
  day: string;
  /** The handler has applied a later event of the merchant already. */
  newerApplied: boolean;
}

/** Where a page ended; the next begins behind it. */
export interface PageEnd {
  merchantId: string;
  mseq: number;
}

/** Below the number of open deliveries that holds a lane up. */
const PAGE = 500;
const LOCK_TIMEOUT_MS = 10_000;

/**
 * A page of a day’s inbox, in the order of merchants and of their events: those that the handler missed, and where the page
 * ended, undefined when it was the last. An event counts as missed when its lane has passed it, and the handler has neither
 * ended for it nor is about to.
 */
export async function findMissed(
  db: Kysely<Database>,
  { handler, eventType, day, merchantId }: BackfillScope,
  after: PageEnd | undefined,
): Promise<{ missed: readonly MissedEvent[]; end: PageEnd | undefined }> {
  const from = after ?? { merchantId: '', mseq: 0 };
  const { rows } = await sql<MissedEvent & { isMissed: boolean }>`
    select i.merchant_id as "merchantId", i.mseq, i.day,
      exists (select from settlements s where s.merchant_id = i.merchant_id and s.day >= i.day and s.mseq > i.mseq
        and s.handler = ${handler} and s.outcome = 'done') as "newerApplied",
      i.event_type = ${eventType} and i.mseq <= coalesce(l.cursor, 0) and not exists (
        select from settlements s where s.merchant_id = i.merchant_id and s.day = i.day and s.mseq = i.mseq
          and s.handler = ${handler}) and not exists (
        select from deliveries d where d.merchant_id = i.merchant_id and d.mseq = i.mseq and d.handler = ${handler})
        and not exists (
        select from redrives r where r.merchant_id = i.merchant_id and r.mseq = i.mseq and r.handler = ${handler}
          and r.finished_at is null) as "isMissed"
    from (
      select merchant_id, mseq, day, event_type from inbox
      where day = ${day}::date and (merchant_id, mseq) > (${from.merchantId}, ${from.mseq})
        ${merchantId === undefined ? sql`` : sql`and merchant_id = ${merchantId}`}
      order by merchant_id, mseq limit ${PAGE}
    ) i left join lanes l on l.merchant_id = i.merchant_id
    order by i.merchant_id, i.mseq
  `.execute(db);
  const last = rows.at(-1);
  return {
    missed: rows.flatMap(({ isMissed, ...event }) => (isMissed ? [event] : [])),
    end: rows.length < PAGE || last === undefined ? undefined : { merchantId: last.merchantId, mseq: last.mseq },
  };
}

/**
 * Has the lanes’ actors run the handler for the events of a page that it missed. Whether something newer is applied is asked
 * again under the lanes’ locks, and a lane carries out what it was told before it goes on: what is in order when it is
 * asked for is in order when it runs.
 *
 * Resolves with the ids of the commands and where the page ended. Rejects with Postgres’s lock time-out when a window holds a
 * lane for longer than 10 s: asking again is safe.
 */
export async function requestBackfill(
  db: Kysely<Database>,
  scope: BackfillScope,
  after: PageEnd | undefined,
  how: { includeOutOfOrder: boolean; requester: Requester },
  nowMs: number,
): Promise<{ commands: readonly string[]; merchants: readonly string[]; left: number; end: PageEnd | undefined }> {
  return await db.transaction().execute(async (trx) => {
    await sql`select set_config('lock_timeout', ${String(LOCK_TIMEOUT_MS)}, true)`.execute(trx);
    const seen = await findMissed(trx, scope, after);
    const merchants = [...new Set(seen.missed.map(({ merchantId }) => merchantId))];
    if (merchants.length === 0) return { commands: [], merchants, left: 0, end: seen.end };
    await sql`
      select from lanes where merchant_id = any(${merchants}::text[]) order by merchant_id for no key update
    `.execute(trx);
    const { missed, end } = await findMissed(trx, scope, after);
    const chosen = missed
      .filter((event) => how.includeOutOfOrder || !event.newerApplied)
      // Events whose lanes moved meanwhile were not locked: the next page, or the next run, has them.
      .filter((event) => merchants.includes(event.merchantId));
    const left = missed.length - chosen.length;
    if (chosen.length === 0) return { commands: [], merchants: [], left, end };
    const now = new Date(nowMs);
    const rows = chosen.map((event) => ({
      id: `backfill-${newId()}`,
      merchant_id: event.merchantId,
      mseq: event.mseq,
      day: event.day,
      handler: scope.handler,
      requested_by: how.requester.by,
      reason: how.requester.reason,
      requested_at: now,
      backfill: true,
      finished_at: null,
      result: null,
    }));
    await trx.insertInto('redrives').values(rows).execute();
    const due = [...new Set(chosen.map(({ merchantId }) => merchantId))];
    await sql`
      update lanes set due_at = least(due_at, ${now}::timestamptz) where merchant_id = any(${due}::text[])
    `.execute(trx);
    return { commands: rows.map(({ id }) => id), merchants: due, left, end };
  });
}
