import type { Kysely } from 'kysely';
import { reducePrice } from './discount.ts';
import { coversItem, isPublic } from './eligibility.ts';
import { type Offer, readOpenOffers, readSalesVersions } from './reads.ts';
import type { Database } from '../../database/tables.ts';

interface PricedItem {
  productId: string;
  brand: string | undefined;
  priceMinor: number | undefined;
  currency: string | undefined;
}

interface Sale {
  priceMinor: number;
  startsAt: Date;
  endsAt: Date | undefined;
}

/**
 * What a merchant's products cost while its offers hold, with the days between which they do. Where no offer runs, the next
 * one that will is told ahead: networks hold a price back until its time, so that it starts there when it starts here,
 * however long a feed takes.
 */
export async function findSales(
  db: Kysely<Database>,
  merchantId: string,
  nowMs: number,
): Promise<{ version: number; findSale: (item: PricedItem) => Sale | undefined }> {
  // The version is read first: offers that change in between make it too old, and the next run looks again.
  const version = (await readSalesVersions(db, [merchantId])).get(merchantId) ?? 0;
  const offers = (await readOpenOffers(db, merchantId, nowMs)).filter((offer) => isPublic(offer.eligibility));
  const holds = ({ startsAt }: Offer) => startsAt.getTime() <= nowMs;
  const running = offers.filter(holds);
  const coming = offers
    .filter((offer) => !holds(offer))
    .toSorted((a, b) => a.startsAt.getTime() - b.startsAt.getTime());
  return {
    version,
    findSale({ productId, brand, priceMinor, currency }) {
      if (priceMinor === undefined || currency === undefined) return undefined;
      const fits = (offer: Offer) =>
        offer.currency === currency && coversItem(offer.eligibility, { productId, brand, priceMinor });
      const first = coming.find(fits);
      return (
        saleOf(priceMinor, running.filter(fits)) ?? (first === undefined ? undefined : saleOf(priceMinor, [first]))
      );
    },
  };
}

/** Prices of several offers hold as long as all of them do. */
function saleOf(priceMinor: number, offers: readonly Offer[]): Sale | undefined {
  const reduced = reducePrice(priceMinor, offers);
  if (reduced.taken.length === 0) return undefined;
  const used = reduced.taken.map(({ offer }) => offer);
  const ends = used.flatMap(({ endsAt }) => (endsAt === null ? [] : [endsAt.getTime()]));
  return {
    priceMinor: reduced.priceMinor,
    startsAt: new Date(Math.max(...used.map(({ startsAt }) => startsAt.getTime()))),
    endsAt: ends.length === 0 ? undefined : new Date(Math.min(...ends)),
  };
}
