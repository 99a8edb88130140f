import { z } from 'zod';

/** What an offer takes off the price of one item. Amounts are minor units of the offer's currency. */
export const discount = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('percent'), basisPoints: z.int().min(1).max(9_999) }),
  z.strictObject({ kind: z.literal('amount'), amountMinor: z.int().min(1).max(1_000_000_000) }),
  z.strictObject({ kind: z.literal('price'), priceMinor: z.int().min(1).max(1_000_000_000) }),
]);

export type Discount = z.infer<typeof discount>;

export interface StackedOffer {
  offerId: string;
  discount: Discount;
  stacking: 'exclusive' | 'stackable';
  priority: number;
}

/** The discount is rounded down, so that nobody is promised more than the percentage. Never under one minor unit. */
function reduce(priceMinor: number, discount: Discount): number {
  switch (discount.kind) {
    case 'percent':
      return Math.max(1, priceMinor - Number((BigInt(priceMinor) * BigInt(discount.basisPoints)) / 10_000n));
    case 'amount':
      return Math.max(1, priceMinor - discount.amountMinor);
    case 'price':
      return Math.min(priceMinor, discount.priceMinor);
    default:
      return discount satisfies never;
  }
}

export interface ReducedPrice<Offer> {
  priceMinor: number;
  /** In the order in which they were taken off, with what each took. */
  taken: { offer: Offer; amountMinor: number }[];
}

/**
 * The best price that offers make: one exclusive offer by itself, or all stackable ones one after the other. Of equal prices
 * the stack is taken, then the exclusive offer of the smallest priority. Offers that take nothing off are left out.
 */
export function reducePrice<Offer extends StackedOffer>(
  priceMinor: number,
  offers: readonly Offer[],
): ReducedPrice<Offer> {
  const ordered = offers.toSorted((a, b) => a.priority - b.priority || (a.offerId < b.offerId ? -1 : 1));
  const stack = ordered.filter(({ stacking }) => stacking === 'stackable');
  const exclusive = ordered.filter(({ stacking }) => stacking === 'exclusive').map((offer) => [offer]);
  let best: ReducedPrice<Offer> = { priceMinor, taken: [] };
  for (const choice of [stack, ...exclusive]) {
    const price = takeOff(priceMinor, choice);
    if (price.priceMinor < best.priceMinor) best = price;
  }
  return best;
}

function takeOff<Offer extends StackedOffer>(priceMinor: number, offers: readonly Offer[]): ReducedPrice<Offer> {
  const reduced: ReducedPrice<Offer> = { priceMinor, taken: [] };
  for (const offer of offers) {
    const after = reduce(reduced.priceMinor, offer.discount);
    if (after >= reduced.priceMinor) continue;
    reduced.taken.push({ offer, amountMinor: reduced.priceMinor - after });
    reduced.priceMinor = after;
  }
  return reduced;
}
