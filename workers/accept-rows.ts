import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { dayOf } from '../core/runtime/clock.ts';
import type { DecodedEvent } from './decode.ts';

export interface AcceptableEvent extends DecodedEvent {
  /** Keyed hash of `body`, by which a duplicate is told from a conflict. */
  bodyHmac: Buffer;
  /** Under which `body` is encrypted; absent for a body as received. */
  keyId?: string;
}

/** The merchant's lane as the accepting transaction saw it, the newly accepted events included. */
export interface LaneNow {
  cursor: number;
  /** Events accepted and not yet worked. */
  backlog: number;
}

export type AcceptResult =
  | { status: 'accepted'; mseq: number; day: string; lane: LaneNow }
  /** Accepted before, or earlier in the same batch. */
  | { status: 'duplicate'; mseq: number; day: string; lane: LaneNow }
  /** Another event of the merchant was accepted under this id: the bytes differ. */
  | { status: 'conflict' }
  /** No store takes it. `reason` may quote the event: for operators only. */
  | { status: 'rejected'; reason: string };

/**
 * Accepts events in one transaction and answers for each, in the order given. Each merchant's numbers are
 * dense and follow that order; a duplicate takes none.
 *
 * First the merchants' mailboxes are locked, in byte order so that batches seldom wait for each other in a circle; where new
 * merchants come in between they can, and the one that Postgres gives up is tried again. The last statement starts after the locks are held, so it sees everything that was numbered before: in one statement, concurrent
 * duplicates would leave gaps, and a larger number could be visible before a smaller one. The day never falls as numbers
 * rise, whatever the clocks of the accepting processes say, since it is taken under the lock too.
 */
export async function acceptRows(
  db: Kysely<Database>,
  events: readonly AcceptableEvent[],
  nowMs: number,
): Promise<readonly AcceptResult[]> {
  const rows = await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (trx) => {
      await lockMailboxes(trx, events, nowMs);
      return await numberAndStore(trx, events, nowMs);
    });
  return resultsOf(events, rows);
}

async function lockMailboxes(trx: Transaction<Database>, events: readonly AcceptableEvent[], nowMs: number) {
  const merchants = [...new Set(events.map((event) => event.merchantId))];
  // Locked and no more: an update that changes nothing would cost a version of the row.
  const { rows: known } = await sql<{ merchantId: string }>`
    select merchant_id as "merchantId" from mailbox where merchant_id = any(${merchants}::text[])
    order by merchant_id for no key update
  `.execute(trx);
  if (known.length === merchants.length) return;
  const having = new Set(known.map(({ merchantId }) => merchantId));
  // A merchant's first event also makes its lane: whoever works many new ones would otherwise make them in a statement more.
  await sql`
    with locked as (
      insert into mailbox as m (merchant_id, last_day, touched_at)
      select merchant_id, ${dayOf(nowMs)}::date, ${touchedAt(nowMs)}
      from unnest(${merchants.filter((merchantId) => !having.has(merchantId))}::text[]) as t (merchant_id)
      order by merchant_id collate "C"
      on conflict (merchant_id) do update set next_mseq = m.next_mseq
      returning merchant_id, next_mseq
    )
    insert into lanes (merchant_id) select merchant_id from locked where next_mseq = 1 on conflict do nothing
  `.execute(trx);
}

/**
 * When a mailbox was touched, rounded up, since nobody needs it finer: as long as it stays the same, writing the mailbox
 * writes no index. Up, so that a reader who asks for what was touched lately misses nothing.
 */
export const TOUCH_MS = 5_000;
const touchedAt = (nowMs: number) => sql`${new Date(Math.ceil(nowMs / TOUCH_MS) * TOUCH_MS)}::timestamptz`;

interface StoredRow {
  ord: number;
  fresh: boolean;
  mseq: number;
  day: string;
  bodyHmac: Buffer;
  cursor: number;
  backlog: number;
}

/**
 * Hash and body of each event, one after the other: one value goes to the server as the bytes it is, where an array of them
 * is written and read as hexadecimal text. `starts`: where each event's part begins, from 1 as Postgres counts.
 */
function inOnePiece(events: readonly AcceptableEvent[]): { all: Buffer; starts: readonly number[] } {
  let next = 1;
  const starts = events.map(({ bodyHmac, body }) => {
    const start = next;
    next += bodyHmac.length + body.length;
    return start;
  });
  return { all: Buffer.concat(events.flatMap(({ bodyHmac, body }) => [bodyHmac, body])), starts };
}

/** Answers for the first of each (merchant, event id) of the batch. */
async function numberAndStore(
  trx: Transaction<Database>,
  events: readonly AcceptableEvent[],
  nowMs: number,
): Promise<readonly StoredRow[]> {
  const column = <T>(pick: (event: AcceptableEvent) => T): T[] => events.map(pick);
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const bytes = inOnePiece(events);
  const { rows } = await sql<StoredRow>`
    with offered as (
      select t.*, substring(piece.bytes from at for hmac_bytes) as body_hmac,
        substring(piece.bytes from at + hmac_bytes for body_bytes) as body
      from (select ${bytes.all}::bytea as bytes) as piece, unnest(
        ${column((e) => e.merchantId)}::text[], ${column((e) => e.eventId)}::text[],
        ${column((e) => e.eventType)}::text[], ${column((e) => e.eventVersion)}::text[],
        ${column((e) => e.correlationId)}::text[], ${column((e) => e.traceparent)}::text[],
        ${column((e) => e.sourceQueue)}::text[], ${column((e) => e.keyId ?? null)}::text[], ${bytes.starts}::int[],
        ${column((e) => e.bodyHmac.length)}::int[], ${column((e) => e.body.length)}::int[]
      ) with ordinality as t (merchant_id, event_id, event_type, event_version, correlation_id, traceparent,
        source_queue, key_id, at, hmac_bytes, body_bytes, ord)
    ), firsts as (
      select distinct on (merchant_id, event_id) * from offered order by merchant_id, event_id, ord
    ), known as (
      select f.ord, a.mseq, a.day, a.body_hmac
      from firsts f join accepted a on a.merchant_id = f.merchant_id and a.event_id = f.event_id
    ), fresh as (
      select f.*, m.next_mseq - 1 + row_number() over (partition by f.merchant_id order by f.ord) as mseq,
        greatest(m.last_day, ${dayOf(nowMs)}::date) as day
      from firsts f join mailbox m on m.merchant_id = f.merchant_id
      where not exists (select from known k where k.ord = f.ord)
    ), counts as (
      select merchant_id, count(*) as n, max(day) as day from fresh group by merchant_id
    ), into_accepted as (
      insert into accepted (merchant_id, event_id, body_hmac, mseq, day, accepted_at)
      select merchant_id, event_id, body_hmac, mseq, day, ${now} from fresh
    ), into_inbox as (
      insert into inbox (merchant_id, day, mseq, event_id, event_type, event_version, correlation_id, traceparent,
        source_queue, received_at, bytes, body, key_id)
      select merchant_id, day, mseq, event_id, event_type, event_version, correlation_id, traceparent, source_queue, ${now},
        length(body), body, key_id
      from fresh
    ), into_mailbox as (
      update mailbox m set next_mseq = m.next_mseq + c.n, last_day = c.day, touched_at = ${touchedAt(nowMs)}
      from counts c where c.merchant_id = m.merchant_id
    )
    select f.ord, k.ord is null as fresh, coalesce(k.mseq, n.mseq) as mseq, coalesce(k.day, n.day) as day,
      coalesce(k.body_hmac, n.body_hmac) as "bodyHmac", coalesce(l.cursor, 0) as cursor,
      m.next_mseq - 1 + coalesce(c.n, 0) - coalesce(l.cursor, 0) as backlog
    from firsts f
    join mailbox m on m.merchant_id = f.merchant_id
    left join known k on k.ord = f.ord
    left join fresh n on n.ord = f.ord
    left join counts c on c.merchant_id = f.merchant_id
    left join lanes l on l.merchant_id = f.merchant_id
  `.execute(trx);
  return rows;
}

const keyOf = (event: AcceptableEvent): string => JSON.stringify([event.merchantId, event.eventId]);

function resultsOf(events: readonly AcceptableEvent[], rows: readonly StoredRow[]): readonly AcceptResult[] {
  const stored = new Map<string, StoredRow>();
  for (const row of rows) {
    const first = events[row.ord - 1];
    if (first !== undefined) stored.set(keyOf(first), row);
  }
  return events.map((event, index): AcceptResult => {
    const row = stored.get(keyOf(event));
    if (row === undefined) throw new Error(`event ${event.eventId} was neither stored nor found`);
    if (!row.bodyHmac.equals(event.bodyHmac)) return { status: 'conflict' };
    const { mseq, day, cursor, backlog } = row;
    const status = row.fresh && row.ord === index + 1 ? 'accepted' : 'duplicate';
    return { status, mseq, day, lane: { cursor, backlog: Math.max(0, backlog) } };
  });
}
