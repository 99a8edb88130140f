import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { DAY_MS, dayOf } from '../../core/runtime/clock.ts';

export interface FoundEvent {
  merchantId: string;
  day: string;
  mseq: number;
  eventId: string;
  eventType: string;
  correlationId: string;
  sourceQueue: string;
  receivedAt: Date;
  /** How its handlers ended, `handler: outcome`; empty while nothing is settled. */
  outcomes: readonly string[];
}

/** Correlation and event ids are looked for in what was accepted on these many days, today included. */
export const SEARCH_DAYS = 3;

/** The events that carry the text as their event id or correlation id, newest first. */
export async function findEvents(
  db: Kysely<Database>,
  text: string,
  nowMs: number,
  limit: number,
): Promise<readonly FoundEvent[]> {
  const { rows } = await sql<FoundEvent>`
    with found as (
      select merchant_id, day, mseq, event_id, event_type, correlation_id, source_queue, received_at from inbox
      where day >= ${dayOf(nowMs - (SEARCH_DAYS - 1) * DAY_MS)}::date
        and (event_id = ${text} or correlation_id = ${text})
      limit ${limit}
    )
    select f.merchant_id as "merchantId", f.day, f.mseq, f.event_id as "eventId", f.event_type as "eventType",
      f.correlation_id as "correlationId", f.source_queue as "sourceQueue", f.received_at as "receivedAt",
      array(
        select s.handler || ': ' || s.outcome from settlements s
        where s.merchant_id = f.merchant_id and s.day = f.day and s.mseq = f.mseq order by s.handler limit 20
      ) as outcomes
    from found f order by f.received_at desc, f.mseq desc
  `.execute(db);
  return rows;
}

/** True when anything was ever accepted for the merchant, or it has an account. */
export async function merchantExists(db: Kysely<Database>, merchantId: string): Promise<boolean> {
  const { rows } = await sql<{ known: boolean }>`
    select exists (select from mailbox where merchant_id = ${merchantId})
      or exists (select from merchants where merchant_id = ${merchantId}) as known
  `.execute(db);
  return rows[0]?.known ?? false;
}
