import { z } from 'zod';
import { id } from '../../events/envelope.ts';

/** Whom and what an offer is for. What is left out does not matter; lists hold if one of their entries fits. */
export const eligibility = z.strictObject({
  productIds: z.array(id(128)).min(1).max(1_000).optional(),
  brands: z.array(z.string().min(1).max(200)).min(1).max(100).optional(),
  /** Minor units of the offer's currency that an item must cost at least. */
  minPriceMinor: z.int().min(1).optional(),
  /** Minor units that the whole order must come to, before any discount. */
  minOrderMinor: z.int().min(1).optional(),
  /** Only for buyers who bring it. */
  code: id(64).optional(),
  /** Only for buyers of these groups. */
  customerGroups: z.array(id(64)).min(1).max(50).optional(),
});

export type Eligibility = z.infer<typeof eligibility>;

export interface OfferedItem {
  productId: string;
  brand?: string | undefined;
  priceMinor: number;
}

export interface Buyer {
  orderMinor: number;
  codes: readonly string[];
  customerGroups: readonly string[];
}

export const coversItem = ({ productIds, brands, minPriceMinor = 0 }: Eligibility, item: OfferedItem): boolean =>
  (productIds === undefined || productIds.includes(item.productId)) &&
  (brands === undefined || (item.brand !== undefined && brands.includes(item.brand))) &&
  item.priceMinor >= minPriceMinor;

export const coversBuyer = ({ minOrderMinor = 0, code, customerGroups }: Eligibility, buyer: Buyer): boolean =>
  buyer.orderMinor >= minOrderMinor &&
  (code === undefined || buyer.codes.includes(code)) &&
  (customerGroups === undefined || customerGroups.some((group) => buyer.customerGroups.includes(group)));

/** Everybody gets it, whatever else they buy: only such prices may be shown in a product feed. */
export const isPublic = ({ minOrderMinor, code, customerGroups }: Eligibility): boolean =>
  minOrderMinor === undefined && code === undefined && customerGroups === undefined;
