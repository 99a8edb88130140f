import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import type { OrderDataAttributedToAd } from '../analytics/events.ts';

type Order = LanewayEvent<OrderDataAttributedToAd>;

/**
 * Counts what orders took from the budgets of offers. An event is the whole order as it stood at its time: the newest (time,
 * event id) wins in whatever order they come, and an offer's sum moves by the difference, so that the handler may hold its
 * event only. An order that names no discounts says nothing of them; one that is cancelled gives them back. Whether a budget
 * is spent is for the schedule to see: were it decided here, the order of events would matter.
 */
export const countOfferDiscounts = defineHandler<OrderDataAttributedToAd>({
  async handleMany(events, { trx }) {
    const newest = new Map<string, Order>();
    const outcomes = events.map((event): Outcome => {
      if (event.payload.discounts === undefined) return skip('the order names no offers');
      const key = JSON.stringify([event.merchantId, event.payload.orderId]);
      const known = newest.get(key);
      if (known === undefined || isLater(event, known)) newest.set(key, event);
      return done;
    });
    if (newest.size === 0) return outcomes;
    const changed = await takeNewer(trx, [...newest.values()]);
    await replaceDiscounts(trx, changed);
    return outcomes;
  },
});

function isLater(a: Order, b: Order): boolean {
  const difference = Date.parse(a.payload.timestamp) - Date.parse(b.payload.timestamp);
  return difference === 0 ? Buffer.compare(Buffer.from(a.eventId), Buffer.from(b.eventId)) > 0 : difference > 0;
}

/** Those that are newer than what is known of their orders, which are then known by them. */
async function takeNewer(trx: Transaction<Database>, orders: readonly Order[]): Promise<Order[]> {
  const column = <T>(pick: (order: Order) => T): T[] => orders.map(pick);
  const { rows } = await sql<{ merchantId: string; orderId: string }>`
    insert into discounted_orders as held (merchant_id, order_id, source_at, source_event_id)
    select * from unnest(${column((o) => o.merchantId)}::text[], ${column((o) => o.payload.orderId)}::text[],
      ${column((o) => new Date(o.payload.timestamp))}::timestamptz[], ${column((o) => o.eventId)}::text[])
      as t (merchant_id, order_id, source_at, source_event_id)
    order by merchant_id collate "C", order_id collate "C"
    on conflict (merchant_id, order_id) do update set
      source_at = excluded.source_at, source_event_id = excluded.source_event_id
    where (excluded.source_at, excluded.source_event_id) > (held.source_at, held.source_event_id)
    returning merchant_id as "merchantId", order_id as "orderId"
  `.execute(trx);
  const taken = new Set(rows.map(({ merchantId, orderId }) => JSON.stringify([merchantId, orderId])));
  return orders.filter(({ merchantId, payload }) => taken.has(JSON.stringify([merchantId, payload.orderId])));
}

interface Line {
  merchantId: string;
  orderId: string;
  offerId: string;
  amountMinor: number;
  currency: string;
}

async function replaceDiscounts(trx: Transaction<Database>, orders: readonly Order[]): Promise<void> {
  if (orders.length === 0) return;
  const lines = orders.flatMap(linesOf);
  const column = <T>(pick: (line: Line) => T): T[] => lines.map(pick);
  const before = await sql<Line>`
    delete from offer_discounts where (merchant_id, order_id) in (
      select * from unnest(${orders.map((o) => o.merchantId)}::text[], ${orders.map((o) => o.payload.orderId)}::text[]))
    returning merchant_id as "merchantId", order_id as "orderId", offer_id as "offerId", amount_minor as "amountMinor",
      currency
  `.execute(trx);
  await sql`
    insert into offer_discounts (merchant_id, order_id, offer_id, amount_minor, currency)
    select * from unnest(${column((l) => l.merchantId)}::text[], ${column((l) => l.orderId)}::text[],
      ${column((l) => l.offerId)}::text[], ${column((l) => l.amountMinor)}::bigint[],
      ${column((l) => l.currency)}::text[])
  `.execute(trx);
  const moved = [...before.rows.map((line) => ({ ...line, amountMinor: -line.amountMinor })), ...lines];
  // Of another currency than the offer's: counted nowhere, and left to be seen in its row.
  await sql`
    with moved as (
      select merchant_id, offer_id, currency, sum(amount)::bigint as amount
      from unnest(${moved.map((l) => l.merchantId)}::text[], ${moved.map((l) => l.offerId)}::text[],
        ${moved.map((l) => l.currency)}::text[], ${moved.map((l) => l.amountMinor)}::bigint[])
        as t (merchant_id, offer_id, currency, amount)
      group by 1, 2, 3
    ), locked as (
      select o.merchant_id, o.offer_id, moved.amount from offers o join moved
        on o.merchant_id = moved.merchant_id and o.offer_id = moved.offer_id and o.currency = moved.currency
      order by o.merchant_id, o.offer_id for update of o
    )
    update offers o set spent_minor = o.spent_minor + locked.amount from locked
    where o.merchant_id = locked.merchant_id and o.offer_id = locked.offer_id
  `.execute(trx);
}

/** One line for each offer: an order may name an offer for several of its items. */
function linesOf({ merchantId, payload }: Order): Line[] {
  if (payload.status === 'cancelled') return [];
  const sums = new Map<string, number>();
  for (const { offerId, amountMinor } of payload.discounts ?? [])
    sums.set(offerId, (sums.get(offerId) ?? 0) + amountMinor);
  return [...sums].map(([offerId, amountMinor]) => ({
    merchantId,
    orderId: payload.orderId,
    offerId,
    amountMinor,
    currency: payload.currency,
  }));
}
