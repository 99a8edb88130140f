import { type Transaction, sql } from 'kysely';
import { contentHash } from '../runtime/ids.ts';
import type { Database } from './tables.ts';

/**
 * A row of `intents` is the desired state of one object at one destination.
 *
 *   pending ──call begins──► sending ──answer──► done, pending (again, or newer desired), dead
 *                               └──no answer──► unknown ──looked up──► done, or sending again
 *
 * A newer intent replaces what is desired in every state and raises `version`. It moves done and dead back to pending, but
 * leaves sending and unknown as they are: `version > sent_version` then says that something newer waits behind a call whose
 * outcome nobody knows yet. `sent_version` is set for exactly as long as that is so, also across dead, and whoever works
 * the row looks the object up before it sends anything. Otherwise the late first call could overwrite the second.
 */
export interface IntentRow {
  merchantId: string;
  /** `ad-network:meta` */
  destination: string;
  objectKey: string;
  desired: Record<string, unknown>;
  eventId: string;
  eventType: string;
  handler: string;
  mseq: number;
  day: string;
  correlationId: string;
  traceparent: string;
  deadlineMs: number;
  /** Epoch milliseconds before which nothing is sent. */
  notBeforeMs?: number;
}

interface Declared extends IntentRow {
  /** How many intents of this call the row stands for: the last one wins, and each counts as a version. */
  declared: number;
}

/**
 * Writes intents in the transaction of whoever declares them and makes their effect lanes due. The caller wakes the lanes
 * after its commit; if it dies before that, `effect_lanes.due_at` is how the sweeper finds them.
 *
 * Effect lanes are locked before intents, both in key order: effect actors do the same, and a lane's row keeps everyone
 * else from the intents behind it.
 */
export async function declareIntents(
  trx: Transaction<Database>,
  rows: readonly IntentRow[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const last = lastOfEachObject(rows);
  const column = <T>(pick: (row: Declared) => T): T[] => last.map(pick);
  const now = sql`${new Date(nowMs)}::timestamptz`;
  await sql`
    insert into effect_lanes (merchant_id, destination, due_at, updated_at)
    select merchant_id, destination, ${now}, ${now}
    from unnest(${column((r) => r.merchantId)}::text[], ${column((r) => r.destination)}::text[]) as t (merchant_id, destination)
    group by merchant_id, destination
    order by merchant_id collate "C", destination collate "C"
    on conflict (merchant_id, destination) do update set due_at = excluded.due_at, updated_at = excluded.updated_at
  `.execute(trx);
  await sql`
    insert into intents as i (merchant_id, destination, object_key, version, desired, content_hash, state, event_id,
      event_type, handler, mseq, day, correlation_id, traceparent, deadline_ms, not_before, created_at, updated_at)
    select merchant_id, destination, object_key, declared, desired, content_hash, 'pending', event_id,
      event_type, handler, mseq, day, correlation_id, traceparent, deadline_ms, not_before, ${now}, ${now}
    from unnest(
      ${column((r) => r.merchantId)}::text[], ${column((r) => r.destination)}::text[],
      ${column((r) => r.objectKey)}::text[], ${column((r) => r.declared)}::bigint[],
      ${column((r) => JSON.stringify(r.desired))}::jsonb[], ${column((r) => contentHash(r.desired))}::text[],
      ${column((r) => r.eventId)}::text[], ${column((r) => r.eventType)}::text[], ${column((r) => r.handler)}::text[],
      ${column((r) => r.mseq)}::bigint[], ${column((r) => r.day)}::date[], ${column((r) => r.correlationId)}::text[],
      ${column((r) => r.traceparent)}::text[], ${column((r) => r.deadlineMs)}::int[],
      ${column((r) => (r.notBeforeMs === undefined ? null : new Date(r.notBeforeMs)))}::timestamptz[]
    ) as t (merchant_id, destination, object_key, declared, desired, content_hash, event_id, event_type, handler, mseq,
      day, correlation_id, traceparent, deadline_ms, not_before)
    order by merchant_id collate "C", destination collate "C", object_key collate "C"
    on conflict (merchant_id, destination, object_key) do update set
      version = i.version + excluded.version, desired = excluded.desired, content_hash = excluded.content_hash,
      event_id = excluded.event_id, event_type = excluded.event_type, handler = excluded.handler, mseq = excluded.mseq,
      day = excluded.day, correlation_id = excluded.correlation_id, traceparent = excluded.traceparent,
      deadline_ms = excluded.deadline_ms, attempt = 0, first_error = null, last_error = null, first_unavailable_at = null,
      state = case when i.state in ('sending', 'unknown') then i.state else 'pending' end,
      not_before = case when i.state in ('sending', 'unknown') then i.not_before else excluded.not_before end,
      updated_at = excluded.updated_at
  `.execute(trx);
}

/**
 * Asks again for what is desired already, because the destination was found to hold something else. Intents that are open
 * are left alone: they are on their way. A new version makes it a new call.
 */
export async function rearmIntents(
  trx: Transaction<Database>,
  keys: readonly Pick<IntentRow, 'merchantId' | 'destination' | 'objectKey'>[],
  nowMs: number,
): Promise<void> {
  if (keys.length === 0) return;
  const column = (pick: (key: (typeof keys)[number]) => string): string[] => keys.map(pick);
  const now = sql`${new Date(nowMs)}::timestamptz`;
  await sql`
    update effect_lanes lane set due_at = ${now}, updated_at = ${now}
    from (
      select merchant_id, destination from effect_lanes
      where (merchant_id, destination) in (
        select * from unnest(${column((k) => k.merchantId)}::text[], ${column((k) => k.destination)}::text[]))
      order by merchant_id, destination collate "C" for no key update
    ) as locked
    where lane.merchant_id = locked.merchant_id and lane.destination = locked.destination
  `.execute(trx);
  await sql`
    update intents set state = 'pending', version = version + 1, attempt = 0, not_before = null, first_error = null,
      last_error = null, first_unavailable_at = null, updated_at = ${now}
    where state = 'done' and (merchant_id, destination, object_key) in (
      select * from unnest(${column((k) => k.merchantId)}::text[], ${column((k) => k.destination)}::text[],
        ${column((k) => k.objectKey)}::text[]))
  `.execute(trx);
}

/** The destinations have these objects no more: what is declared of them next makes them anew. A call under way is left alone. */
export async function forgetExternalIds(
  trx: Transaction<Database>,
  keys: readonly Pick<IntentRow, 'merchantId' | 'destination' | 'objectKey'>[],
  nowMs: number,
): Promise<void> {
  const column = (pick: (key: (typeof keys)[number]) => string): string[] => keys.map(pick);
  await sql`
    update intents set external_id = null, updated_at = ${new Date(nowMs)}::timestamptz
    where state in ('done', 'pending') and (merchant_id, destination, object_key) in (
      select * from unnest(${column((k) => k.merchantId)}::text[], ${column((k) => k.destination)}::text[],
        ${column((k) => k.objectKey)}::text[]))
  `.execute(trx);
}

/** One statement cannot write a row twice, and nobody would ever send what was replaced before it was committed. */
function lastOfEachObject(rows: readonly IntentRow[]): Declared[] {
  const last = new Map<string, Declared>();
  for (const row of rows) {
    const key = JSON.stringify([row.merchantId, row.destination, row.objectKey]);
    last.set(key, { ...row, declared: (last.get(key)?.declared ?? 0) + 1 });
  }
  return [...last.values()];
}
