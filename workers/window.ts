import { sql } from 'kysely';
import type { EventDefinition } from '../core/events/definition.ts';
import { type LanewayEvent, envelopeSchema } from '../core/events/envelope.ts';
import type { Registry } from '../core/events/registry.ts';
import { readableAs, upcast } from '../core/events/versions.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import type { LaneTransaction } from './lane-transaction.ts';

export interface InboxRow {
  mseq: number;
  day: string;
  eventId: string;
  eventType: string;
  eventVersion: string;
  correlationId: string;
  traceparent: string;
  sourceQueue: string;
  receivedAt: Date;
  body: Buffer;
}

const columns = sql`mseq, day, event_id as "eventId", event_type as "eventType", event_version as "eventVersion",
  correlation_id as "correlationId", traceparent, source_queue as "sourceQueue", received_at as "receivedAt", body`;

/**
 * The next events after the cursor, in order, bounded in number and bytes (always at least one). The day bound keeps the
 * query out of old partitions, and ordering by the partition key lets Postgres stop at the first that fills the window.
 */
export async function readWindow(
  trx: LaneTransaction,
  merchantId: string,
  after: { cursor: number; cursorDay: string },
  limit: { events: number; bytes: number },
): Promise<readonly InboxRow[]> {
  const { rows } = await sql<InboxRow>`
    select ${columns} from (
      select *, sum(bytes) over (order by day, mseq) - bytes as bytes_before from (
        select * from inbox
        where merchant_id = ${merchantId} and day >= ${after.cursorDay}::date and mseq > ${after.cursor}
        order by day, mseq limit ${limit.events}
      ) next_events
    ) measured
    where bytes_before < ${limit.bytes}
    order by day, mseq
  `.execute(trx);
  return rows;
}

export async function readInboxRow(
  trx: LaneTransaction,
  merchantId: string,
  day: string,
  mseq: number,
): Promise<InboxRow | undefined> {
  const { rows } = await sql<InboxRow>`
    select ${columns} from inbox where merchant_id = ${merchantId} and day = ${day}::date and mseq = ${mseq}
  `.execute(trx);
  return rows[0];
}

/** An event as handlers get it; parsed once however many handlers it has. */
export interface OpenedEvent {
  row: InboxRow;
  definition: EventDefinition;
  event: LanewayEvent;
  /** Set when the bytes can no longer be read as the event: every handler then fails with it. */
  fault?: LanewayError;
}

/**
 * Parses the bytes as received and brings the payload to the current version. Throws `envelope.unknown_type` when this
 * release does not know the event: a newer one accepted it, so the lane waits for a worker that does.
 */
export function openEvent(registry: Registry, merchantId: string, row: InboxRow): OpenedEvent {
  const definition = registry.get(row.eventType);
  if (definition === undefined)
    throw new LanewayError('envelope.unknown_type', `this release does not know ${row.eventType}`, {
      retry: 'backoff',
    });
  const event: LanewayEvent = {
    eventId: row.eventId,
    eventType: row.eventType,
    eventVersion: row.eventVersion,
    timestamp: row.receivedAt.toISOString(),
    sourceService: definition.sourceContext,
    correlationId: row.correlationId,
    merchantId,
    traceparent: row.traceparent,
    mseq: row.mseq,
    day: row.day,
    payload: undefined,
  };
  try {
    const envelope = envelopeSchema.parse(JSON.parse(row.body.toString('utf8')));
    const read = readableAs(definition, row.eventVersion)?.schema.parse(envelope.payload);
    event.timestamp = envelope.timestamp;
    event.sourceService = envelope.sourceService;
    event.payload = upcast(definition, row.eventVersion, read);
    if (envelope.authentication !== undefined) event.authentication = envelope.authentication;
    return { row, definition, event };
  } catch (cause) {
    const fault = new LanewayError('payload.invalid', `cannot be read as ${row.eventType} any more`, { cause });
    return { row, definition, event, fault };
  }
}

/**
 * Splits a window into the calls its handlers get. Events whose handlers keep an order go in maximal runs of one type, so
 * that calling a handler once per run never reorders types. Events whose handlers all hold their event only are
 * commutative with everything, by proof of their tests: all of one type go together, and they do not cut the runs of others.
 */
export function callsOf(events: readonly OpenedEvent[]): OpenedEvent[][] {
  const runs: OpenedEvent[][] = [];
  const anyOrder = new Map<string, OpenedEvent[]>();
  for (const opened of events) {
    const { definition } = opened;
    if (definition.handlers.every((handler) => handler.holds === 'event')) {
      const together = anyOrder.get(definition.name);
      if (together === undefined) anyOrder.set(definition.name, [opened]);
      else together.push(opened);
      continue;
    }
    const last = runs.at(-1);
    if (last?.[0]?.definition === definition) last.push(opened);
    else runs.push([opened]);
  }
  return [...runs, ...anyOrder.values()];
}
