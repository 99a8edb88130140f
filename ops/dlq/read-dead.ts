import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type DeadItem, type ItemFilter, effectItemId, handlerItemId, matches } from './items.ts';

interface Row {
  kind: 'dead' | 'parked' | 'effect';
  merchantId: string;
  eventId: string;
  /** Null once the inbox row is purged. */
  eventType: string | null;
  mseq: number;
  day: string;
  handler: string;
  destination: string | null;
  objectKey: string | null;
  code: string | null;
  message: string | null;
  attempts: number;
  at: Date;
}

/** Why a handler gave up is in its dead letter: the settlement keeps the code. */
const settled = (handlers: readonly string[], filter: ItemFilter) => sql`
  select 'dead' as kind, s.merchant_id as "merchantId", s.event_id as "eventId", i.event_type as "eventType", s.mseq, s.day,
    s.handler, null as destination, null as "objectKey", s.reason as code, null as message, s.attempts, s.settled_at as at
  from settlements s left join inbox i on i.merchant_id = s.merchant_id and i.day = s.day and i.mseq = s.mseq
  where s.outcome = 'dead' and s.handler = any(${handlers}::text[]) ${between(sql`s.settled_at`, filter)}
    ${equal(sql`s.merchant_id`, filter.merchantId)} ${equal(sql`s.event_id`, filter.eventId)}
    ${equal(sql`s.reason`, filter.code)}
  order by s.settled_at, s.settled_seq limit ${filter.limit}`;

const parked = (handlers: readonly string[], filter: ItemFilter) => sql`
  select 'parked', merchant_id, event_id, event_type, mseq, day, handler, null, null, last_error->>'code',
    last_error->>'message', attempt, updated_at
  from deliveries
  where state = 'parked' and handler = any(${handlers}::text[]) ${between(sql`updated_at`, filter)}
    ${equal(sql`merchant_id`, filter.merchantId)} ${equal(sql`event_id`, filter.eventId)}
    ${equal(sql`last_error->>'code'`, filter.code)}
  order by updated_at, merchant_id, mseq limit ${filter.limit}`;

const effects = (handlers: readonly string[], filter: ItemFilter) => sql`
  select 'effect', merchant_id, event_id, event_type, mseq, day, handler, destination, object_key, last_error->>'code',
    last_error->>'message', attempt, updated_at
  from intents
  where state = 'dead' and handler = any(${handlers}::text[]) ${between(sql`updated_at`, filter)}
    ${equal(sql`merchant_id`, filter.merchantId)} ${equal(sql`event_id`, filter.eventId)}
    ${equal(sql`last_error->>'code'`, filter.code)}
  order by updated_at, merchant_id, object_key limit ${filter.limit}`;

const equal = (column: RawBuilder<unknown>, value: string | undefined) =>
  value === undefined ? sql`` : sql`and ${column} = ${value}`;
const between = (column: RawBuilder<unknown>, { since, until }: ItemFilter) => sql`
  ${since === undefined ? sql`` : sql`and ${column} >= ${new Date(since)}::timestamptz`}
  ${until === undefined ? sql`` : sql`and ${column} < ${new Date(until)}::timestamptz`}`;

/** The dead and the parked of accepted events, given up longest ago first. */
export async function readDeadItems(
  db: Kysely<Database>,
  registry: Registry,
  filter: ItemFilter,
): Promise<readonly DeadItem[]> {
  const queues = queueByHandler(registry);
  const handlers = [...queues].filter(([, queue]) => filter.queue === undefined || queue === filter.queue);
  const names = handlers.map(([handler]) => handler);
  const { rows } = await sql<Row>`
    select * from ((${settled(names, filter)}) union all (${parked(names, filter)}) union all (${effects(names, filter)})) dead
    order by at, "merchantId", mseq, handler
  `.execute(db);
  return rows
    .map((row) => toItem(row, queues.get(row.handler) ?? ''))
    .filter((item) => matches(item, filter))
    .slice(0, filter.limit);
}

const queueByHandler = (registry: Registry): ReadonlyMap<string, string> =>
  new Map(
    [...registry.values()].flatMap(({ handlers, deadLetterQueue }) =>
      handlers.map(({ name }): [string, string] => [name, deadLetterQueue]),
    ),
  );

function toItem(row: Row, queue: string): DeadItem {
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
      const [destination, objectKey] = [row.destination ?? '', row.objectKey ?? ''];
      const id = effectItemId(merchantId, destination, objectKey);
      return { ...shared, kind: 'effect', id, handler: `${row.handler}@${destination}`, objectKey };
    }
    default:
      return row.kind satisfies never;
  }
}
