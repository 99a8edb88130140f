import { type Kysely, type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type AcceptedItem, type ItemFilter, baseHandler, effectItemId, handlerItemId } from './items.ts';

interface Row {
  kind: 'dead' | 'parked' | 'effect';
  merchantId: string;
  eventId: string;
  /** Null once the inbox row is purged. */
  eventType: string | null;
  mseq: number;
  day: string;
  handler: string;
  /** Both empty for what is no effect. */
  destination: string;
  objectKey: string;
  code: string | null;
  message: string | null;
  attempts: number;
  at: Date;
}

/** Which rows are read: all that a filter lets through, or the one that an id names. */
export interface DeadQuery {
  filter: Omit<ItemFilter, 'limit' | 'after'>;
  /** The place of the last item that is known already. */
  after: string | undefined;
  limit: number;
  only?: { mseq: number } | { destination: string; objectKey: string };
}

export interface DeadPage {
  items: readonly Placed[];
  /** True when there are more behind the last. */
  more: boolean;
}

export interface Placed {
  item: AcceptedItem;
  /** Where it stands in the order, for `after`. */
  place: string;
}

/**
 * The order of everything that was given up: longest ago first. It is total, so that whoever goes on behind a place misses
 * nothing and sees nothing twice.
 */
const order = sql`at, "merchantId" collate "C", mseq, handler collate "C", destination collate "C", "objectKey" collate "C"`;

/** Why a handler gave up is in its dead letter: the settlement keeps the code. */
const settled = sql`
  select 'dead' as kind, merchant_id as "merchantId", event_id as "eventId", null as "eventType", mseq, day, handler,
    '' as destination, '' as "objectKey", reason as code, null as message, attempts, settled_at as at
  from settlements where outcome = 'dead'`;

const parked = sql`
  select 'parked', merchant_id, event_id, event_type, mseq, day, handler, '', '', last_error->>'code',
    last_error->>'message', attempt, updated_at
  from deliveries where state = 'parked'`;

const effects = sql`
  select 'effect', merchant_id, event_id, event_type, mseq, day, handler, destination, object_key, last_error->>'code',
    last_error->>'message', attempt, updated_at
  from intents where state = 'dead'`;

/** The same by the columns of an arm. */
const rankOf = ({
  at,
  destination,
  objectKey,
}: Columns): RawBuilder<unknown> => sql`${at}, merchant_id collate "C", mseq,
  handler collate "C", ${destination} collate "C", ${objectKey} collate "C"`;

/** The conditions of an arm: by the columns of its table, so that its indexes serve. */
function conditions({ filter, only, after }: DeadQuery, handlers: readonly string[], columns: Columns) {
  const { at, code, destination, objectKey } = columns;
  // `handler@destination` names effects alone.
  const target = filter.handler?.split('@')[1];
  const equal = (column: RawBuilder<unknown>, value: string | number | undefined) =>
    value === undefined ? sql`` : sql`and ${column} = ${value}`;
  const when = (compare: RawBuilder<unknown>, time: number | undefined) =>
    time === undefined ? sql`` : sql`and ${at} ${compare} ${new Date(time)}::timestamptz`;
  return sql`and handler = any(${handlers}::text[])
    ${when(sql`>=`, filter.since)} ${when(sql`<`, filter.until)}
    ${equal(sql`merchant_id`, filter.merchantId)} ${equal(sql`event_id`, filter.eventId)}
    ${equal(sql`coalesce(${code}, 'unknown')`, filter.code)} ${equal(destination, target)}
    ${only === undefined ? sql`` : sql`and ${'mseq' in only ? sql`mseq = ${only.mseq} and ${destination} = ''` : sql`${destination} = ${only.destination} and ${objectKey} = ${only.objectKey}`}`}
    ${after === undefined ? sql`` : sql`and (${rankOf(columns)}) > ${placeOf(after)}`}`;
}

interface Columns {
  at: RawBuilder<unknown>;
  code: RawBuilder<unknown>;
  destination: RawBuilder<unknown>;
  objectKey: RawBuilder<unknown>;
}
const none = sql`''::text`;
const lastCode = sql`last_error->>'code'`;
const settledColumns = { at: sql`settled_at`, code: sql`reason`, destination: none, objectKey: none };
const parkedColumns = { at: sql`updated_at`, code: lastCode, destination: none, objectKey: none };
const effectColumns = {
  at: sql`updated_at`,
  code: lastCode,
  destination: sql`destination`,
  objectKey: sql`object_key`,
};

const place = z.tuple([z.iso.datetime({ precision: 6 }), z.string(), z.int(), z.string(), z.string(), z.string()]);

/** Undefined for what no page has given. */
export function readPlace(text: string): z.infer<typeof place> | undefined {
  try {
    return place.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch {
    // Neither our JSON nor our tuple: it names no place.
    return undefined;
  }
}

function placeOf(text: string): RawBuilder<unknown> {
  const [at, merchantId, mseq, handler, destination, objectKey] = readPlace(text) ?? [];
  return sql`(${at}::timestamptz, ${merchantId}::text, ${mseq}::bigint, ${handler}::text, ${destination}::text,
    ${objectKey}::text)`;
}

/** The dead and the parked of accepted events, given up longest ago first. */
export async function readDeadItems(db: Kysely<Database>, registry: Registry, query: DeadQuery): Promise<DeadPage> {
  const queues = queueByHandler(registry);
  const { queue, handler } = query.filter;
  const names = [...queues].flatMap(([name, of]) =>
    (queue === undefined || of === queue) && (handler === undefined || name === baseHandler(handler)) ? [name] : [],
  );
  // One more than asked for says whether there are more. The types of the settled are looked up for what is shown.
  const arm = (rows: RawBuilder<unknown>, columns: Columns) =>
    sql`(${rows} ${conditions(query, names, columns)} order by ${rankOf(columns)} limit ${query.limit + 1})`;
  const { rows } = await sql<Row & { exactly: string }>`
    select dead.*, coalesce(dead."eventType", i.event_type) as "eventType",
      to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as exactly
    from (
      select * from (
        ${arm(settled, settledColumns)} union all ${arm(parked, parkedColumns)} union all ${arm(effects, effectColumns)}
      ) given_up order by ${order} limit ${query.limit + 1}
    ) dead left join inbox i on i.merchant_id = dead."merchantId" and i.day = dead.day and i.mseq = dead.mseq
    order by ${order}
  `.execute(db);
  return {
    items: rows.slice(0, query.limit).map((row) => ({
      item: toItem(row, queues.get(row.handler) ?? ''),
      place: Buffer.from(
        JSON.stringify([row.exactly, row.merchantId, row.mseq, row.handler, row.destination, row.objectKey]),
      ).toString('base64url'),
    })),
    more: rows.length > query.limit,
  };
}

const queueByHandler = (registry: Registry): ReadonlyMap<string, string> =>
  new Map(
    [...registry.values()].flatMap(({ handlers, deadLetterQueue }) =>
      handlers.map(({ name }): [string, string] => [name, deadLetterQueue]),
    ),
  );

function toItem(row: Row, queue: string): AcceptedItem {
  const { merchantId, eventId, mseq, day, message, attempts } = row;
  const shared = {
    queue,
    code: row.code ?? 'unknown',
    message,
    attempts,
    at: row.at.toISOString(),
    ...{ merchantId, eventId, mseq, day },
    eventType: row.eventType ?? 'unknown',
  };
  switch (row.kind) {
    case 'dead':
    case 'parked':
      return {
        ...shared,
        kind: 'handler',
        id: handlerItemId(merchantId, mseq, row.handler),
        state: row.kind,
        handler: row.handler,
      };
    case 'effect': {
      const { destination, objectKey } = row;
      const id = effectItemId(merchantId, destination, objectKey);
      return { ...shared, kind: 'effect', id, handler: `${row.handler}@${destination}`, objectKey };
    }
    default:
      return row.kind satisfies never;
  }
}
