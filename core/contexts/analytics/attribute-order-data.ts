import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import { defineHandler, done, skip } from '../../events/handler.ts';
import { isPastRetention } from '../retention/reads.ts';
import { dayOf } from '../../runtime/clock.ts';
import { readAttributionWindows } from './attribution-windows.ts';
import { type AttributionWindows, chooseTouch } from './choose-touch.ts';
import type { OrderDataAttributedToAd } from './events.ts';
import { type CampaignDay, sumOrders } from './sum-days.ts';
import { type WrittenOrder, writeOrderLines } from './write-order-lines.ts';

type Order = LanewayEvent<OrderDataAttributedToAd>;

/**
 * Attributes orders to the ads that brought them, by the merchant's windows. An event is the whole order as it stood at its
 * time: the newest (time, event id) wins in whatever order they come, so that refunds and late touches restate it, and the
 * handler may hold its event only. The sums of the campaign's day are made again from its orders, of the campaign that had
 * the order before too. What comes for a day whose orders may be gone already is left out: its sums stand as they are.
 */
export const attributeOrderData = defineHandler<OrderDataAttributedToAd>({
  async handleMany(events, { trx, now }) {
    const newest = new Map<string, Order>();
    const isOver = ({ payload }: Order) => isPastRetention('attributed_orders', orderDayOf(payload), now);
    for (const event of events) {
      if (isOver(event)) continue;
      const key = keyOf(event.merchantId, event.payload.orderId);
      const known = newest.get(key);
      if (known === undefined || isLater(event, known)) newest.set(key, event);
    }
    const orders = [...newest.values()];
    const windowsOf = await readAttributionWindows(
      trx,
      orders.map(({ merchantId }) => merchantId),
    );
    const before = await readCampaignDays(trx, orders);
    const written = await writeOrders(trx, orders, windowsOf, now);
    await writeOrderLines(trx, written);
    const after = await readCampaignDays(trx, orders);
    await sumOrders(trx, [...before, ...after]);
    return events.map((event) => (isOver(event) ? skip('the day is past its retention') : done));
  },
});

const orderDayOf = ({ orderedAt }: OrderDataAttributedToAd): string => dayOf(Date.parse(orderedAt));

const keyOf = (merchantId: string, orderId: string): string => JSON.stringify([merchantId, orderId]);

function isLater(a: Order, b: Order): boolean {
  const difference = Date.parse(a.payload.timestamp) - Date.parse(b.payload.timestamp);
  return difference === 0 ? Buffer.compare(Buffer.from(a.eventId), Buffer.from(b.eventId)) > 0 : difference > 0;
}

async function readCampaignDays(trx: Transaction<Database>, orders: readonly Order[]): Promise<CampaignDay[]> {
  const { rows } = await sql<CampaignDay>`
    select merchant_id as "merchantId", order_day as day, ad_network_id as "adNetworkId", campaign_id as "campaignId"
    from attributed_orders
    where (merchant_id, order_id) in (
      select * from unnest(${orders.map((o) => o.merchantId)}::text[], ${orders.map((o) => o.payload.orderId)}::text[])
    )
  `.execute(trx);
  return rows;
}

async function writeOrders(
  trx: Transaction<Database>,
  orders: readonly Order[],
  windowsOf: (merchantId: string) => AttributionWindows,
  nowMs: number,
): Promise<WrittenOrder[]> {
  const rows = orders.map(({ merchantId, eventId, payload }) => ({
    merchantId,
    eventId,
    payload,
    day: orderDayOf(payload),
    touch: chooseTouch(payload.touches, payload.orderedAt, windowsOf(merchantId)),
    counts: payload.status !== 'cancelled',
  }));
  const column = <T>(pick: (row: (typeof rows)[number]) => T): T[] => rows.map(pick);
  const { rows: taken } = await sql<{ merchantId: string; orderId: string }>`
    insert into attributed_orders as held (merchant_id, order_id, order_day, ad_network_id, campaign_id, touch, counts,
      revenue_minor, currency, source_at, source_event_id, updated_at)
    select t.*, ${new Date(nowMs)}::timestamptz
    from unnest(${column((r) => r.merchantId)}::text[], ${column((r) => r.payload.orderId)}::text[],
      ${column((r) => r.day)}::date[],
      ${column((r) => r.touch?.adNetworkId ?? '')}::text[], ${column((r) => r.touch?.campaignId ?? '')}::text[],
      ${column((r) => r.touch?.kind ?? null)}::text[], ${column((r) => r.counts)}::boolean[],
      ${column((r) => (r.counts ? r.payload.totalMinor - (r.payload.refundedMinor ?? 0) : 0))}::bigint[],
      ${column((r) => r.payload.currency)}::text[], ${column((r) => new Date(r.payload.timestamp))}::timestamptz[],
      ${column((r) => r.eventId)}::text[]) as t (merchant_id, order_id)
    order by merchant_id collate "C", order_id collate "C"
    on conflict (merchant_id, order_id) do update set
      order_day = excluded.order_day, ad_network_id = excluded.ad_network_id, campaign_id = excluded.campaign_id,
      touch = excluded.touch, counts = excluded.counts, revenue_minor = excluded.revenue_minor,
      currency = excluded.currency, source_at = excluded.source_at, source_event_id = excluded.source_event_id,
      updated_at = excluded.updated_at
    where (excluded.source_at, excluded.source_event_id) > (held.source_at, held.source_event_id)
    returning merchant_id as "merchantId", order_id as "orderId"
  `.execute(trx);
  const keys = new Set(taken.map(({ merchantId, orderId }) => keyOf(merchantId, orderId)));
  return rows
    .filter(({ merchantId, payload }) => keys.has(keyOf(merchantId, payload.orderId)))
    .map(({ touch, ...row }) => ({
      ...row,
      adNetworkId: touch?.adNetworkId ?? '',
      campaignId: touch?.campaignId ?? '',
    }));
}
