import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { EventDefinition, HandlerDefinition } from '../../core/events/definition.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type InboxRow, openEvent } from '../../workers/window.ts';
import type { DeadItem } from './items.ts';

/**
 * What redriving would do to the order of what was applied since.
 *
 *   safe         nothing that it could undo or be undone by
 *   superseded   a newer event of its aggregate is applied and the handler writes states: the old one would win, or be skipped
 *   conflicting  a newer event is applied and the handler adds up, in an order that matters
 *   gone         the event is purged: there is nothing left to try
 */
export type OrderClass = 'safe' | 'superseded' | 'conflicting' | 'gone';

export interface Classified {
  order: OrderClass;
  why: string;
}

/** The handler must see this many later events at most; a longer journal counts as if it held one that matters. */
const LATER_CONSIDERED = 500;

/**
 * Against the merchant's journal. Effects push the desired state of now, and what was never accepted has no place in the
 * order yet: both are safe.
 */
export async function classify(db: Kysely<Database>, registry: Registry, item: DeadItem): Promise<Classified> {
  if (item.kind === 'effect') return { order: 'safe', why: 'an effect sends what is desired now' };
  if (item.kind === 'message') return { order: 'safe', why: 'it was never accepted' };
  const definition = registry.get(item.eventType);
  const handler = definition?.handlers.find(({ name }) => name === item.handler);
  if (definition === undefined || handler === undefined)
    return { order: 'gone', why: 'its event is purged, or not of this release' };
  if (handler.holds === 'event') return { order: 'safe', why: `${handler.name} gives the same in any order` };
  const newer = await findNewer(db, registry, definition, handler, item);
  if (newer === undefined) return { order: 'safe', why: 'nothing newer of what it is about is applied' };
  const order = handler.effect === 'state' ? 'superseded' : 'conflicting';
  return { order, why: `event ${newer} is newer and applied` };
}

type HandlerItem = Extract<DeadItem, { kind: 'handler' }>;

/** The id of the first later event that the handler has applied to the same aggregate. */
async function findNewer(
  db: Kysely<Database>,
  registry: Registry,
  definition: EventDefinition,
  handler: HandlerDefinition,
  item: HandlerItem,
): Promise<string | undefined> {
  const rows = await readApplied(db, item);
  const own = await readOwn(db, item);
  const about = (row: InboxRow | undefined): string | undefined => {
    if (row === undefined || definition.aggregate === undefined) return undefined;
    const opened = openEvent(registry, item.merchantId, row);
    return opened.fault === undefined ? definition.aggregate(opened.event.payload) : undefined;
  };
  const aggregate = about(own);
  // Where the handler adds up and holds its merchant, everything later of the merchant may matter.
  const all = aggregate === undefined || (handler.effect === 'delta' && handler.holds === 'merchant');
  const newer = rows.find((row) => all || (about(row) ?? aggregate) === aggregate);
  return newer?.eventId ?? (rows.length >= LATER_CONSIDERED ? rows.at(-1)?.eventId : undefined);
}

const inboxColumns = sql`i.mseq, i.day, i.event_id as "eventId", i.event_type as "eventType",
  i.event_version as "eventVersion", i.correlation_id as "correlationId", i.traceparent,
  i.source_queue as "sourceQueue", i.received_at as "receivedAt", i.key_id as "keyId",
  case when i.key_id is null then convert_from(i.body, 'UTF8') else encode(i.body, 'base64') end as body`;

async function readApplied(db: Kysely<Database>, { merchantId, day, mseq, handler }: HandlerItem) {
  const { rows } = await sql<InboxRow>`
    select ${inboxColumns}
    from settlements s join inbox i on i.merchant_id = s.merchant_id and i.day = s.day and i.mseq = s.mseq
    where s.merchant_id = ${merchantId} and s.day >= ${day}::date and s.mseq > ${mseq} and s.handler = ${handler}
      and s.outcome = 'done'
    order by s.day, s.mseq limit ${LATER_CONSIDERED}
  `.execute(db);
  return rows;
}

async function readOwn(db: Kysely<Database>, { merchantId, day, mseq }: HandlerItem): Promise<InboxRow | undefined> {
  const { rows } = await sql<InboxRow>`
    select ${inboxColumns} from inbox i
    where i.merchant_id = ${merchantId} and i.day = ${day}::date and i.mseq = ${mseq}
  `.execute(db);
  return rows[0];
}
