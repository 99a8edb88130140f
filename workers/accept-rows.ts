import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { dayOf } from '../core/runtime/clock.ts';
import type { DecodedEvent } from './decode.ts';
import { type KnownEvent, type LockedMailbox, type NumberedEvent, numberEvents } from './number-events.ts';

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
 * merchants come in between they can, and the one that Postgres gives up is tried again. The next statement starts after
 * the locks are held, so it sees every event of theirs that was numbered before: in one statement with the locks, concurrent
 * duplicates would leave gaps, and a larger number could be visible before a smaller one.
 */
export async function acceptRows(
  db: Kysely<Database>,
  events: readonly AcceptableEvent[],
  nowMs: number,
): Promise<readonly AcceptResult[]> {
  return await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (trx) => {
      const mailboxes = await lockMailboxes(trx, events, nowMs);
      const known = await findAccepted(trx, events);
      const numbered = numberEvents(events, { mailboxes, known, today: dayOf(nowMs) });
      if (numbered.fresh.length > 0) await store(trx, numbered.fresh, numbered.mailboxes, nowMs);
      return numbered.results;
    });
}

async function lockMailboxes(
  trx: Transaction<Database>,
  events: readonly AcceptableEvent[],
  nowMs: number,
): Promise<readonly LockedMailbox[]> {
  const merchants = [...new Set(events.map((event) => event.merchantId))];
  // Locked and no more: an update that changes nothing would cost a version of the row. A row that had to be waited for is
  // answered as it is once it is locked; the cursor beside it may be a little older, as cursors are wherever they are read.
  const { rows: there } = await sql<LockedMailbox>`
    select m.merchant_id as "merchantId", m.next_mseq as "nextMseq", m.last_day as "lastDay",
      coalesce(l.cursor, 0) as cursor
    from mailbox m left join lanes l on l.merchant_id = m.merchant_id
    where m.merchant_id = any(${merchants}::text[]) order by m.merchant_id for no key update of m
  `.execute(trx);
  if (there.length === merchants.length) return there;
  const having = new Set(there.map(({ merchantId }) => merchantId));
  // A merchant's first event also makes its lane: whoever works many new ones would otherwise make them in a statement more.
  const { rows: made } = await sql<LockedMailbox>`
    with locked as (
      insert into mailbox as m (merchant_id, last_day, touched_at)
      select merchant_id, ${dayOf(nowMs)}::date, ${touchedAt(nowMs)}
      from unnest(${merchants.filter((merchantId) => !having.has(merchantId))}::text[]) as t (merchant_id)
      order by merchant_id collate "C"
      on conflict (merchant_id) do update set next_mseq = m.next_mseq
      returning merchant_id, next_mseq, last_day
    ), made as (
      insert into lanes (merchant_id) select merchant_id from locked where next_mseq = 1 on conflict do nothing
    )
    select k.merchant_id as "merchantId", k.next_mseq as "nextMseq", k.last_day as "lastDay",
      coalesce(l.cursor, 0) as cursor
    from locked k left join lanes l on l.merchant_id = k.merchant_id
  `.execute(trx);
  return [...there, ...made];
}

/**
 * When a mailbox was touched, rounded up, since nobody needs it finer: as long as it stays the same, writing the mailbox
 * writes no index. Up, so that a reader who asks for what was touched lately misses nothing.
 */
export const TOUCH_MS = 5_000;
const touchedAt = (nowMs: number) => sql`${new Date(Math.ceil(nowMs / TOUCH_MS) * TOUCH_MS)}::timestamptz`;

async function findAccepted(
  trx: Transaction<Database>,
  events: readonly AcceptableEvent[],
): Promise<readonly KnownEvent[]> {
  const { rows } = await sql<KnownEvent>`
    select t.ord - 1 as at, a.mseq, a.day, a.body_hmac as "bodyHmac"
    from unnest(${events.map((event) => event.merchantId)}::text[], ${events.map((event) => event.eventId)}::text[])
      with ordinality as t (merchant_id, event_id, ord)
    join accepted a on a.merchant_id = t.merchant_id and a.event_id = t.event_id
  `.execute(trx);
  return rows;
}

/**
 * Hash and body of each event, one after the other: one value goes to the server as the bytes it is, where an array of them
 * is written and read as hexadecimal text. `starts`: where each event's part begins, from 1 as Postgres counts.
 */
function inOnePiece(events: readonly NumberedEvent[]): { all: Buffer; starts: readonly number[] } {
  let next = 1;
  const starts = events.map(({ event: { bodyHmac, body } }) => {
    const start = next;
    next += bodyHmac.length + body.length;
    return start;
  });
  return { all: Buffer.concat(events.flatMap(({ event: { bodyHmac, body } }) => [bodyHmac, body])), starts };
}

async function store(
  trx: Transaction<Database>,
  fresh: readonly NumberedEvent[],
  mailboxes: readonly LockedMailbox[],
  nowMs: number,
): Promise<void> {
  const column = <T>(pick: (event: AcceptableEvent) => T): T[] => fresh.map(({ event }) => pick(event));
  const now = sql`${new Date(nowMs)}::timestamptz`;
  const bytes = inOnePiece(fresh);
  // Bytes are cut where they are stored: rows that carry them from one part of the statement to the next are copied there.
  await sql`
    with piece as (
      select ${bytes.all}::bytea as bytes
    ), fresh as (
      select * from unnest(
        ${column((e) => e.merchantId)}::text[], ${fresh.map(({ day }) => day)}::date[],
        ${fresh.map(({ mseq }) => mseq)}::bigint[], ${column((e) => e.eventId)}::text[],
        ${column((e) => e.eventType)}::text[], ${column((e) => e.eventVersion)}::text[],
        ${column((e) => e.correlationId)}::text[], ${column((e) => e.traceparent)}::text[],
        ${column((e) => e.sourceQueue)}::text[], ${column((e) => e.keyId ?? null)}::text[], ${bytes.starts}::int[],
        ${column((e) => e.bodyHmac.length)}::int[], ${column((e) => e.body.length)}::int[]
      ) as t (merchant_id, day, mseq, event_id, event_type, event_version, correlation_id, traceparent, source_queue,
        key_id, at, hmac_bytes, body_bytes)
    ), into_accepted as (
      insert into accepted (merchant_id, event_id, body_hmac, mseq, day, accepted_at)
      select merchant_id, event_id, substring(bytes from at for hmac_bytes), mseq, day, ${now} from fresh, piece
    ), into_mailbox as (
      update mailbox m set next_mseq = t.next_mseq, last_day = t.last_day, touched_at = ${touchedAt(nowMs)}
      from unnest(${mailboxes.map(({ merchantId }) => merchantId)}::text[],
        ${mailboxes.map(({ nextMseq }) => nextMseq)}::bigint[], ${mailboxes.map(({ lastDay }) => lastDay)}::date[]
      ) as t (merchant_id, next_mseq, last_day) where m.merchant_id = t.merchant_id
    )
    insert into inbox (merchant_id, day, mseq, event_id, event_type, event_version, correlation_id, traceparent,
      source_queue, received_at, bytes, body, key_id)
    select merchant_id, day, mseq, event_id, event_type, event_version, correlation_id, traceparent, source_queue, ${now},
      body_bytes, substring(bytes from at + hmac_bytes for body_bytes), key_id
    from fresh, piece
  `.execute(trx);
}
