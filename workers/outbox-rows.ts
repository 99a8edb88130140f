import { type Kysely, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { storableText } from '../core/runtime/errors.ts';

/**
 * pending ─► sent         acknowledged by the destination; purged after a week
 *    │  └──► pending      refused for now: `not_before`, and the merchant's stream waits behind it
 *    └─────► unsendable   no destination will ever take it; stays for an operator, the stream goes on
 */
export type Stream = 'events' | 'dead-letters';
export const streams: readonly Stream[] = ['events', 'dead-letters'];

/** The first pending row of a merchant in a stream. Only heads are ever sent: what follows could overtake them. */
export interface Head {
  shard: number;
  stream: Stream;
  merchantId: string;
  seq: number;
  destination: string;
  deduplicationId: string;
  attributes: Record<string, string>;
  attempts: number;
  body: Buffer;
}

/** Where the last read of a (shard, stream) ended, so that every merchant has its turn. */
export interface Part {
  shard: number;
  stream: Stream;
  after: string;
}

interface WalkedRow extends Omit<Head, 'body'> {
  ready: boolean;
  /** Null for a head that is not ready, or for which there was no room. */
  body: Buffer | null;
}

export interface HeadsRead {
  heads: readonly Head[];
  /** A part came to its end and starts over: what lies before was not looked at in this read. */
  wrapped: boolean;
}

/**
 * One query for all parts: walks each part's index from merchant to merchant, without touching the rows behind the heads,
 * and moves the parts on. Heads for `busy` destinations, or not due, are passed over.
 */
export async function readHeads(
  db: Kysely<Database>,
  parts: readonly Part[],
  busy: readonly string[],
  limit: { headsPerPart: number; bytes: number },
): Promise<HeadsRead> {
  if (parts.length === 0) return { heads: [], wrapped: false };
  const { rows } = await sql<WalkedRow>`
    select shard, stream, "merchantId", seq, destination, "deduplicationId", attributes, attempts, ready,
      case when ready and bytes_before < ${limit.bytes} then body end as body
    from (
      select *, sum(case when ready then octet_length(body) else 0 end)
        over (order by ord, "merchantId" rows between unbounded preceding and current row)
        - case when ready then octet_length(body) else 0 end as bytes_before
      from (
        select part.ord, o.shard, o.stream, o.merchant_id as "merchantId", o.seq, o.destination,
          o.deduplication_id as "deduplicationId", o.attributes, o.attempts, o.body,
          (o.not_before is null or o.not_before <= now()) and o.destination <> all(${busy}::text[]) as ready
        from unnest(${parts.map((p) => p.shard)}::int[], ${parts.map((p) => p.stream)}::text[],
          ${parts.map((p) => p.after)}::text[]) with ordinality as part (shard, stream, after, ord)
        cross join lateral (
          with recursive head as (
            (select merchant_id, seq from outbox
              where state = 'pending' and shard = part.shard and stream = part.stream
                and merchant_id > part.after collate "C"
              order by merchant_id, seq limit 1)
            union all
            (select following.merchant_id, following.seq from head cross join lateral (
              select merchant_id, seq from outbox
              where state = 'pending' and shard = part.shard and stream = part.stream
                and merchant_id > head.merchant_id
              order by merchant_id, seq limit 1) following)
          )
          select * from head limit ${limit.headsPerPart}
        ) h
        join outbox o on o.merchant_id = h.merchant_id and o.seq = h.seq
      ) walked
    ) measured
    order by ord, "merchantId"
  `.execute(db);
  return advance(parts, rows, limit.headsPerPart);
}

function advance(parts: readonly Part[], rows: readonly WalkedRow[], headsPerPart: number): HeadsRead {
  const heads: Head[] = [];
  let wrapped = false;
  for (const part of parts) {
    const walked = rows.filter((row) => row.shard === part.shard && row.stream === part.stream);
    let more = walked.length === headsPerPart;
    let last = part.after;
    for (const { body, ready, ...head } of walked) {
      if (ready && body === null) {
        // No room for it this time.
        more = true;
        break;
      }
      last = head.merchantId;
      if (body !== null) heads.push({ ...head, body });
    }
    if (!more && part.after !== '') wrapped = true;
    part.after = more ? last : '';
  }
  return { heads, wrapped };
}

/**
 * Marks what was acknowledged, only in shards that are still this owner's: a relay that was stopped for longer than its
 * lease must not write over its successor. That its late send may have been a second one does no harm: the queue drops it by
 * its deduplication id, or the consumer by its event id, and it can only follow the first, never carry anything new.
 * Bodies of the types named are about people and leave with the message.
 */
export async function markSent(
  db: Kysely<Database>,
  owner: string,
  rows: readonly Head[],
  aboutPeople: readonly string[] = [],
): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    update outbox o set state = 'sent', sent_at = now(), last_error = null,
      body = case when o.event_type = any(${aboutPeople}::text[]) then ''::bytea else body end
    from unnest(${rows.map((r) => r.merchantId)}::text[], ${rows.map((r) => r.seq)}::bigint[]) as t (merchant_id, seq)
    where o.merchant_id = t.merchant_id and o.seq = t.seq and o.state = 'pending'
      and exists (select from relay_leases l where l.shard = o.shard and l.owner = ${owner})
  `.execute(db);
}

export interface Refused {
  head: Head;
  error: string;
  /** Undefined when the row can never be sent. */
  retryInMs: number | undefined;
}

export async function markRefused(db: Kysely<Database>, owner: string, refused: readonly Refused[]): Promise<void> {
  if (refused.length === 0) return;
  const column = <T>(pick: (row: Refused) => T): T[] => refused.map(pick);
  await sql`
    update outbox o set attempts = o.attempts + 1, last_error = t.error,
      state = case when t.retry_in_ms is null then 'unsendable' else 'pending' end,
      not_before = now() + t.retry_in_ms * interval '1 millisecond'
    from unnest(${column((r) => r.head.merchantId)}::text[], ${column((r) => r.head.seq)}::bigint[],
      ${column((r) => storableText(r.error))}::text[], ${column((r) => r.retryInMs ?? null)}::float8[])
      as t (merchant_id, seq, error, retry_in_ms)
    where o.merchant_id = t.merchant_id and o.seq = t.seq and o.state = 'pending'
      and exists (select from relay_leases l where l.shard = o.shard and l.owner = ${owner})
  `.execute(db);
}

const KEPT_DAYS = 7;

/** Deletes sent rows of more than a week ago, at most `limit` of them. Returns how many it deleted. */
export async function purgeOutbox(db: Kysely<Database>, nowMs: number, limit = 5_000): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from outbox where (merchant_id, seq) in (
      select merchant_id, seq from outbox
      where state = 'sent' and sent_at < ${new Date(nowMs - KEPT_DAYS * 86_400_000)}::timestamptz
      order by sent_at limit ${limit})
  `.execute(db);
  return Number(numAffectedRows ?? 0);
}
