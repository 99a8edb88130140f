import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { DAY_MS, dayOf } from '../../core/runtime/clock.ts';

export interface SettledEvent {
  merchantId: string;
  day: string;
  mseq: number;
  handler: string;
  eventId: string;
  /** Null once the inbox row is purged. */
  eventType: string | null;
  correlationId: string | null;
  outcome: 'done' | 'skip' | 'dead';
  reason: string | null;
  attempts: number;
  outOfOrder: boolean;
  settledAt: Date;
  worker: string;
}

export interface DeadCount {
  /** The handler that gave up, or the destination of an effect that was given up. */
  handler: string;
  code: string;
  count: number;
  lastAt: Date;
}

/** How far back dead letters are listed; older ones are in the DLQs still, and in `dlq` commands. */
const DEAD_DAYS = 7;
/** A dead event may have been accepted that much earlier than it died. */
const PARTITIONS_DAYS = 14;
const DEAD_CONSIDERED = 50_000;

const columns = sql`
  s.merchant_id as "merchantId", s.day, s.mseq, s.handler, s.event_id as "eventId", i.event_type as "eventType",
  i.correlation_id as "correlationId", s.outcome, s.reason, s.attempts, s.out_of_order as "outOfOrder",
  s.settled_at as "settledAt", s.worker`;
const inboxOf = sql`left join inbox i on i.merchant_id = s.merchant_id and i.day = s.day and i.mseq = s.mseq`;

/** A merchant's journal, newest events first. */
export async function readJournal(
  db: Kysely<Database>,
  merchantId: string,
  limit: number,
): Promise<readonly SettledEvent[]> {
  const { rows } = await sql<SettledEvent>`
    with s as (
      select * from settlements where merchant_id = ${merchantId} order by day desc, mseq desc, handler limit ${limit}
    )
    select ${columns} from s ${inboxOf} order by s.day desc, s.mseq desc, s.handler
  `.execute(db);
  return rows;
}

export async function readDeadLetters(
  db: Kysely<Database>,
  filter: { handler?: string | undefined; merchantId?: string | undefined },
  nowMs: number,
  limit: number,
): Promise<readonly SettledEvent[]> {
  const ofHandler = filter.handler === undefined ? sql`` : sql`and handler = ${filter.handler}`;
  const ofMerchant = filter.merchantId === undefined ? sql`` : sql`and merchant_id = ${filter.merchantId}`;
  const { rows } = await sql<SettledEvent>`
    with s as (
      select * from settlements
      where outcome = 'dead' and settled_at > ${new Date(nowMs - DEAD_DAYS * DAY_MS)}
        and day >= ${dayOf(nowMs - PARTITIONS_DAYS * DAY_MS)}::date ${ofHandler} ${ofMerchant}
      order by settled_at desc, settled_seq desc limit ${limit}
    )
    select ${columns} from s ${inboxOf} order by s.settled_at desc, s.settled_seq desc
  `.execute(db);
  return rows;
}

/** What was given up in the last 24 hours, by handlers and by effect actors. */
export async function countDeadLetters(db: Kysely<Database>, nowMs: number): Promise<readonly DeadCount[]> {
  const since = new Date(nowMs - DAY_MS);
  const { rows } = await sql<DeadCount>`
    select handler, code, count(*) as count, max(at) as "lastAt" from (
      (select handler, coalesce(reason, 'unknown') as code, settled_at as at from settlements
       where outcome = 'dead' and settled_at > ${since} and day >= ${dayOf(nowMs - PARTITIONS_DAYS * DAY_MS)}::date
       limit ${DEAD_CONSIDERED})
      union all
      (select destination, coalesce(last_error->>'code', 'unknown'), updated_at from intents
       where state = 'dead' and updated_at > ${since} limit ${DEAD_CONSIDERED})
    ) given_up
    group by handler, code order by count desc, handler, code limit 50
  `.execute(db);
  return rows;
}
