import { z } from 'zod';
import { id } from '../../../events/envelope.ts';

/** Where a feed goes and how its items are told apart there. */
export const feedNetworkIds = ['google_merchant', 'meta_catalog'] as const;
export type FeedNetworkId = (typeof feedNetworkIds)[number];

const segment = z.string().regex(/^[\w-]{1,64}$/, { error: 'must be 1 to 64 letters, digits, _ or -' });

const defaults = {
  /** Where the product has no link of its own; `{productId}` stands for its id. */
  linkTemplate: z.url().max(2_000).optional(),
  /** Where the product names no brand. */
  brand: id(100).optional(),
};

export const googleMerchantAccount = z.strictObject({
  network: z.literal('google_merchant'),
  merchantCenterId: segment,
  /** The API-type data source that the feed owns: a product input belongs to one. */
  dataSourceId: segment,
  contentLanguage: z.string().regex(/^[a-z]{2}$/, { error: 'must be a two-letter language such as en' }),
  feedLabel: z.string().regex(/^[A-Z0-9_-]{1,20}$/, { error: 'must be 1 to 20 of A–Z, 0–9, - and _' }),
  ...defaults,
});

export const metaCatalogAccount = z.strictObject({
  network: z.literal('meta_catalog'),
  catalogId: segment,
  ...defaults,
});

export const feedAccount = z.discriminatedUnion('network', [googleMerchantAccount, metaCatalogAccount]);

export type FeedAccount = z.infer<typeof feedAccount>;

export type GoogleMerchantAccount = z.infer<typeof googleMerchantAccount>;
export type MetaCatalogAccount = z.infer<typeof metaCatalogAccount>;
