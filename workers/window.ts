import { sql } from 'kysely';
import type { EventDefinition } from '../core/events/definition.ts';
import { z } from 'zod';
import { type LanewayEvent, authenticationContext } from '../core/events/envelope.ts';
import type { Registry } from '../core/events/registry.ts';
import { readableAs, upcast } from '../core/events/versions.ts';
import type { Keyring } from '../core/people/keyring.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import type { LaneTransaction } from './lane-transaction.ts';
import { openBodies } from './seal-bodies.ts';

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
  /** As received. */
  body: string;
  /** Under which it was encrypted; the body is open all the same, unless `erased`. */
  keyId: string | null;
  erased?: boolean;
}

/** Bodies come as text: as bytes they would be sent as hexadecimal, twice as long and to be decoded twice. */
const columns = sql`mseq, day, event_id as "eventId", event_type as "eventType", event_version as "eventVersion",
  correlation_id as "correlationId", traceparent, source_queue as "sourceQueue", received_at as "receivedAt",
  case when key_id is null then convert_from(body, 'UTF8') else encode(body, 'base64') end as body, key_id as "keyId"`;

export interface WindowRows {
  rows: readonly InboxRow[];
  /** More events than these were accepted. */
  more: boolean;
  /** Of the handlers that count for them (`HandlerStarts`). */
  generation: number;
}

/**
 * The next events after each lane's cursor, in order, bounded in number and bytes for each lane (always at least one). Lanes
 * without any are left out. The day bounds keep the query out of partitions in which the lane has nothing to find, and
 * ordering by the partition key lets Postgres stop at the first that fills the window.
 */
export async function readWindows(
  trx: LaneTransaction,
  lanes: readonly { merchantId: string; cursor: number; cursorDay: string }[],
  limit: { events: number; bytes: number },
  keyring: Keyring | undefined,
): Promise<ReadonlyMap<string, WindowRows>> {
  // Known before the query starts, so that older partitions are not even opened.
  const earliest = lanes.map((lane) => lane.cursorDay).toSorted()[0];
  const { rows } = await sql<InboxRow & { merchantId: string; lastMseq: number; generation: number }>`
    select l.merchant_id as "merchantId", m.next_mseq - 1 as "lastMseq",
      (select coalesce(max(generation), 0) from handler_starts) as generation, ${columns}
    from unnest(${lanes.map((l) => l.merchantId)}::text[], ${lanes.map((l) => l.cursor)}::bigint[],
      ${lanes.map((l) => l.cursorDay)}::date[]) as l (merchant_id, cursor, cursor_day)
    join mailbox m on m.merchant_id = l.merchant_id
    cross join lateral (
      select * from (
        select *, sum(bytes) over (order by day, mseq) - bytes as bytes_before from (
          select * from inbox
          where inbox.merchant_id = l.merchant_id and day between l.cursor_day and m.last_day and mseq > l.cursor
            and day >= ${earliest}::date
          order by day, mseq limit ${limit.events}
        ) next_events
      ) measured
      where bytes_before < ${limit.bytes}
    ) i
    order by l.merchant_id, day, mseq
  `.execute(trx);
  await openBodies(trx, keyring, rows);
  return new Map(
    [...Map.groupBy(rows, (row) => row.merchantId)].map(([merchantId, own]) => {
      const last = own[own.length - 1];
      const more = last !== undefined && last.mseq < last.lastMseq;
      return [merchantId, { rows: own, more, generation: last?.generation ?? 0 }];
    }),
  );
}

export async function readInboxRow(
  trx: LaneTransaction,
  merchantId: string,
  day: string,
  mseq: number,
  keyring: Keyring | undefined,
): Promise<InboxRow | undefined> {
  const { rows } = await sql<InboxRow>`
    select ${columns} from inbox where merchant_id = ${merchantId} and day = ${day}::date and mseq = ${mseq}
  `.execute(trx);
  await openBodies(
    trx,
    keyring,
    rows.map((row) => Object.assign(row, { merchantId })),
  );
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

/** Accepting has validated the envelope; here its parts are only picked out. */
const acceptedEnvelope = z.object({
  timestamp: z.string(),
  sourceService: z.string(),
  authentication: authenticationContext.optional(),
  payload: z.unknown(),
});

/**
 * Parses the bytes as received and brings the payload to the current version. Throws `envelope.unknown_type`
 * or `envelope.unsupported_version` when this release does not know the event or its major: a newer one accepted it, so the
 * lane waits for a worker that does.
 */
export function openEvent(registry: Registry, merchantId: string, row: InboxRow): OpenedEvent {
  const definition = registry.get(row.eventType);
  if (definition === undefined)
    throw new LanewayError('envelope.unknown_type', `this release does not know ${row.eventType}`, {
      retry: 'backoff',
    });
  const version = readableAs(definition, row.eventVersion);
  if (version === undefined)
    throw new LanewayError(
      'envelope.unsupported_version',
      `this release does not read ${row.eventType} ${row.eventVersion}`,
      { retry: 'backoff' },
    );
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
  if (row.erased === true) {
    const fault = new LanewayError('people.erased', 'the person that it is about was erased');
    return { row, definition, event, fault };
  }
  try {
    const envelope = acceptedEnvelope.parse(JSON.parse(row.body));
    const read = version.schema.parse(envelope.payload);
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
 * Opens a window up to the first event that only a newer release knows, where the window then ends: what came before it has
 * nothing to wait for. Throws as `openEvent` does when that is the very first.
 */
export function openWindow(registry: Registry, merchantId: string, rows: readonly InboxRow[]): readonly OpenedEvent[] {
  const opened: OpenedEvent[] = [];
  for (const row of rows) {
    try {
      opened.push(openEvent(registry, merchantId, row));
    } catch (error) {
      if (opened.length === 0) throw error;
      return opened;
    }
  }
  return opened;
}

/** Whether an event's handlers keep no order at all. */
export const isInAnyOrder = ({ handlers }: EventDefinition): boolean =>
  handlers.every((handler) => handler.holds === 'event');

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
    if (isInAnyOrder(definition)) {
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
