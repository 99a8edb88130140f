import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { OrderDataAttributedToAd } from './events.ts';
import { type ProductDay, sumProducts } from './sum-products.ts';

/** An order whose new state was taken, and the ad that it is attributed to. */
export interface WrittenOrder {
  merchantId: string;
  payload: OrderDataAttributedToAd;
  day: string;
  adNetworkId: string;
  campaignId: string;
}

interface Line {
  productId: string;
  units: number;
  revenueMinor: number;
}

/**
 * An order by product. What its lines leave of its revenue, as shipping or a refund that names no product, is a line of no
 * product, so that revenue by product adds up to revenue. Of an order that was cancelled nothing is left.
 */
export function linesOf({ status, totalMinor, refundedMinor = 0, lines = [] }: OrderDataAttributedToAd): Line[] {
  const products = new Map<string, Line>();
  let rest = totalMinor - refundedMinor;
  for (const line of lines) {
    const revenueMinor = line.totalMinor - (line.refundedMinor ?? 0);
    const known = products.get(line.productId) ?? { productId: line.productId, units: 0, revenueMinor: 0 };
    products.set(line.productId, {
      ...known,
      units: known.units + line.quantity,
      revenueMinor: known.revenueMinor + revenueMinor,
    });
    rest -= revenueMinor;
  }
  const all = [...products.values()];
  if (rest !== 0 || all.length === 0) all.push({ productId: '', units: 0, revenueMinor: rest });
  return status === 'cancelled' ? all.map(({ productId }) => ({ productId, units: 0, revenueMinor: 0 })) : all;
}

/** Puts the lines of orders in the place of those they had, and makes the sums of all products concerned again. */
export async function writeOrderLines(trx: Transaction<Database>, orders: readonly WrittenOrder[]): Promise<void> {
  if (orders.length === 0) return;
  const { rows: before } = await sql<ProductDay>`
    delete from order_lines
    where (merchant_id, order_id) in (
      select * from unnest(${orders.map((o) => o.merchantId)}::text[], ${orders.map((o) => o.payload.orderId)}::text[])
    )
    returning merchant_id as "merchantId", order_day as day, ad_network_id as "adNetworkId",
      campaign_id as "campaignId", product_id as "productId"
  `.execute(trx);
  const lines = orders.flatMap((order) => linesOf(order.payload).map((line) => ({ ...order, ...line })));
  const column = <T>(pick: (line: (typeof lines)[number]) => T): T[] => lines.map(pick);
  await sql`
    insert into order_lines (merchant_id, order_id, product_id, order_day, ad_network_id, campaign_id, counts, units,
      revenue_minor, currency, source_at)
    select * from unnest(${column((l) => l.merchantId)}::text[], ${column((l) => l.payload.orderId)}::text[],
      ${column((l) => l.productId)}::text[], ${column((l) => l.day)}::date[], ${column((l) => l.adNetworkId)}::text[],
      ${column((l) => l.campaignId)}::text[], ${column((l) => l.payload.status !== 'cancelled')}::boolean[],
      ${column((l) => l.units)}::bigint[], ${column((l) => l.revenueMinor)}::bigint[],
      ${column((l) => l.payload.currency)}::text[], ${column((l) => new Date(l.payload.timestamp))}::timestamptz[])
  `.execute(trx);
  await sumProducts(trx, [...before, ...lines]);
}
