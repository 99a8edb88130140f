import { reducePrice } from './discount.ts';
import { type Buyer, type OfferedItem, coversBuyer, coversItem } from './eligibility.ts';
import type { Offer } from './reads.ts';

export interface QuotedOrder {
  items: readonly (OfferedItem & { quantity: number })[];
  currency: string;
  codes: readonly string[];
  customerGroups: readonly string[];
}

export interface Quote {
  /** Prices of one piece. */
  items: { productId: string; priceMinor: number; discounts: { offerId: string; amountMinor: number }[] }[];
  totalMinor: number;
  /** Of the whole order. */
  discounts: { offerId: string; amountMinor: number }[];
}

/** What a buyer pays for an order while these offers run. A budget may be overdrawn by orders that are on their way. */
export function quoteOrder(offers: readonly Offer[], order: QuotedOrder): Quote {
  const orderMinor = order.items.reduce((sum, { priceMinor, quantity }) => sum + priceMinor * quantity, 0);
  const buyer: Buyer = { orderMinor, codes: order.codes, customerGroups: order.customerGroups };
  const open = offers.filter((each) => each.currency === order.currency && coversBuyer(each.eligibility, buyer));
  const sums = new Map<string, number>();
  let totalMinor = 0;
  const items = order.items.map((item) => {
    const fitting = open.filter((each) => coversItem(each.eligibility, item));
    const { priceMinor, taken } = reducePrice(item.priceMinor, fitting);
    const discounts = taken.map(({ offer: { offerId }, amountMinor }) => ({ offerId, amountMinor }));
    for (const { offerId, amountMinor } of discounts)
      sums.set(offerId, (sums.get(offerId) ?? 0) + amountMinor * item.quantity);
    totalMinor += priceMinor * item.quantity;
    return { productId: item.productId, priceMinor, discounts };
  });
  return { items, totalMinor, discounts: [...sums].map(([offerId, amountMinor]) => ({ offerId, amountMinor })) };
}
