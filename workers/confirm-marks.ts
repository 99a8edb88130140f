import { type Kysely, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { AcceptResult, AcceptableEvent } from './accept-rows.ts';
import type { Mark } from './dedupe.ts';

/** What Postgres says about an event that DynamoDB has a mark of. */
export interface Known {
  /** Its row in `accepted`, unless it was purged, or never was. */
  row: { mseq: number; day: string; bodyHmac: Buffer } | undefined;
  /** The number that its merchant's next event gets; undefined without a mailbox. */
  nextMseq: number | undefined;
  cursor: number;
}

export type Confirmed = Extract<AcceptResult, { status: 'duplicate' | 'conflict' }> | { status: 'forgotten' };

const DAY_MS = 86_400_000;

/**
 * Decides about an event with a mark; undefined means that it must be accepted.
 *
 * | accepted has it | mark older than the purge | mseq below the mailbox | bytes | then      |
 * |-----------------|---------------------------|------------------------|-------|-----------|
 * | yes             |                           |                        | same  | duplicate |
 * | yes             |                           |                        | other | conflict  |
 * | no              | yes                       | yes                    | same  | forgotten |
 * | no              | yes                       | yes                    | other | conflict  |
 * | no              | no                        |                        |       | accept    |
 * | no              |                           | no                     |       | accept    |
 *
 * The last two are a Postgres that was restored to a time before the event was accepted, or failed over without its last
 * commits: the mark speaks of a past that no longer is, and dropping the event would lose it.
 */
export function decideMark(
  mark: Mark,
  known: Known,
  bodyHmac: Buffer,
  { now, purgeDays }: { now: number; purgeDays: number },
): Confirmed | undefined {
  const { row, nextMseq = 0, cursor } = known;
  if (row !== undefined) {
    if (!row.bodyHmac.equals(bodyHmac)) return { status: 'conflict' };
    const lane = { cursor, backlog: Math.max(0, nextMseq - 1 - cursor) };
    return { status: 'duplicate', mseq: row.mseq, day: row.day, lane };
  }
  const purged = now - mark.acceptedAtMs > purgeDays * DAY_MS && mark.mseq < nextMseq;
  if (!purged) return undefined;
  return mark.bodyHmac.equals(bodyHmac) ? { status: 'forgotten' } : { status: 'conflict' };
}

/** One query for all events that have a mark; answers by event, and only for those that must not be accepted. */
export async function confirmMarks(
  db: Kysely<Database>,
  events: readonly AcceptableEvent[],
  marks: ReadonlyMap<AcceptableEvent, Mark>,
  horizon: { now: number; purgeDays: number },
): Promise<ReadonlyMap<AcceptableEvent, Confirmed>> {
  if (marks.size === 0) return new Map();
  const marked = events.flatMap((event) => {
    const mark = marks.get(event);
    return mark === undefined ? [] : [{ event, mark }];
  });
  const { rows } = await sql<{
    ord: number;
    mseq: number | null;
    day: string;
    bodyHmac: Buffer;
    nextMseq: number | null;
    cursor: number;
  }>`
    select t.ord, a.mseq, a.day, a.body_hmac as "bodyHmac", m.next_mseq as "nextMseq", coalesce(l.cursor, 0) as cursor
    from unnest(${marked.map(({ event }) => event.merchantId)}::text[], ${marked.map(({ event }) => event.eventId)}::text[])
      with ordinality as t (merchant_id, event_id, ord)
    left join accepted a on a.merchant_id = t.merchant_id and a.event_id = t.event_id
    left join mailbox m on m.merchant_id = t.merchant_id
    left join lanes l on l.merchant_id = t.merchant_id
  `.execute(db);
  const confirmed = new Map<AcceptableEvent, Confirmed>();
  for (const { ord, mseq, day, bodyHmac, nextMseq, cursor } of rows) {
    const entry = marked[ord - 1];
    if (entry === undefined) continue;
    const row = mseq === null ? undefined : { mseq, day, bodyHmac };
    const known = { row, nextMseq: nextMseq ?? undefined, cursor };
    const decision = decideMark(entry.mark, known, entry.event.bodyHmac, horizon);
    if (decision !== undefined) confirmed.set(entry.event, decision);
  }
  return confirmed;
}
