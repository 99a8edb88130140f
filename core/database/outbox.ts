import { type Transaction, sql } from 'kysely';
import type { BuiltEvent } from '../events/build.ts';
import { shardOf } from '../runtime/ids.ts';
import type { Database } from './tables.ts';

/** Relays share the outbox by shard. Fixed: the shard is stored with the row. */
export const OUTBOX_SHARDS = 16;

export interface OutboxRow extends BuiltEvent {
  /** Dead letters have a stream of their own, so that a jam in one never holds up the other. */
  stream: 'events' | 'dead-letters';
  deduplicationId: string;
}

export const eventRow = (event: BuiltEvent): OutboxRow => ({
  ...event,
  stream: 'events',
  deduplicationId: event.eventId,
});

/**
 * Adds rows to the outbox, numbered per merchant in the order given. Call it as the last statement before the commit: it
 * locks the merchants' heads, and whoever emits for the same merchant waits until then.
 */
export async function appendOutbox(
  trx: Transaction<Database>,
  rows: readonly OutboxRow[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const column = <T>(pick: (row: OutboxRow) => T): T[] => rows.map(pick);
  await sql`
    with new as (
      select * from unnest(
        ${column((r) => r.merchantId)}::text[], ${column((r) => r.stream)}::text[],
        ${column((r) => shardOf(r.merchantId, OUTBOX_SHARDS))}::int[], ${column((r) => r.eventId)}::text[],
        ${column((r) => r.eventType)}::text[], ${column((r) => r.destination)}::text[],
        ${column((r) => r.deduplicationId)}::text[], ${column((r) => JSON.stringify(r.attributes))}::jsonb[],
        ${column((r) => r.body)}::bytea[]
      ) with ordinality as t (merchant_id, stream, shard, event_id, event_type, destination, deduplication_id,
        attributes, body, ord)
    ), counts as (
      select merchant_id, count(*) as n from new group by merchant_id
    ), heads as (
      insert into outbox_heads as head (merchant_id, next_seq)
      select merchant_id, n + 1 from counts order by merchant_id collate "C"
      on conflict (merchant_id) do update set next_seq = head.next_seq + excluded.next_seq - 1
      returning merchant_id, next_seq
    )
    insert into outbox (merchant_id, seq, stream, shard, event_id, event_type, destination, deduplication_id,
      attributes, body, created_at)
    select new.merchant_id,
      heads.next_seq - counts.n - 1 + row_number() over (partition by new.merchant_id order by ord),
      stream, shard, event_id, event_type, destination, deduplication_id, attributes, body,
      ${new Date(nowMs)}::timestamptz
    from new join counts using (merchant_id) join heads using (merchant_id)
  `.execute(trx);
}
