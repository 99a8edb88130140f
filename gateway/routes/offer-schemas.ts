import { z } from '@hono/zod-openapi';
import { nextPage } from '../paging.ts';
import { discount } from '../../core/contexts/promotions/discount.ts';
import { eligibility } from '../../core/contexts/promotions/eligibility.ts';
import type { Offer } from '../../core/contexts/promotions/reads.ts';
import { id, isoTimestamp } from '../../core/events/envelope.ts';

const currency = z.string().regex(/^[A-Z]{3}$/);

export const offerFields = z.strictObject({
  name: id(200),
  discount: discount.describe('What it takes off the price of an item.'),
  eligibility: eligibility.default({}).describe('Whom and what it is for; everything and everybody unless told.'),
  stacking: z
    .enum(['exclusive', 'stackable'])
    .default('exclusive')
    .describe('Whether it adds to other stackable offers, or stands alone.'),
  priority: z.int().min(0).max(1_000).default(100).describe('Of offers that stack, the smallest is taken off first.'),
  startsAt: isoTimestamp,
  endsAt: isoTimestamp.nullable().default(null).describe('Null for one that is ended by its budget or by hand.'),
  currency: currency.describe('Of all its amounts; ISO 4217.'),
  budgetMinor: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('What it may take off orders altogether. It ends soon after that is spent.'),
  campaignIds: z.array(id(128)).max(50).default([]).describe('Campaigns that run while the offer does.'),
});

const example = {
  name: 'Black Friday',
  discount: { kind: 'percent', basisPoints: 2_000 },
  eligibility: { brands: ['Nordwind'] },
  startsAt: '2026-11-27T00:00:00Z',
  endsAt: '2026-12-01T00:00:00Z',
  currency: 'EUR',
  budgetMinor: 500_000,
} as const;

export const newOffer = offerFields
  .extend({ state: z.enum(['draft', 'scheduled']).default('scheduled') })
  .openapi('NewOffer', { example });
export const changedOffer = offerFields.openapi('ChangedOffer', { example });

export const offer = z
  .object({
    offerId: z.string(),
    name: z.string(),
    state: z.enum(['draft', 'scheduled', 'running', 'ended']),
    discount,
    eligibility,
    stacking: z.enum(['exclusive', 'stackable']),
    priority: z.int(),
    startsAt: z.iso.datetime(),
    endsAt: z.iso.datetime().nullable(),
    currency: z.string(),
    budgetMinor: z.int().nullable(),
    spentMinor: z.int().openapi({ description: 'What orders say it took off them.' }),
    campaignIds: z.array(z.string()),
    endedBy: z.enum(['schedule', 'budget', 'merchant']).nullable(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi('Offer');

export const offerPage = z.object({ offers: z.array(offer), next: nextPage }).openapi('OfferPage');

export const quoteRequest = z
  .strictObject({
    items: z
      .array(
        z.strictObject({
          productId: id(128),
          brand: z.string().min(1).max(200).optional(),
          priceMinor: z.int().min(0).max(1_000_000_000),
          quantity: z.int().min(1).max(10_000).default(1),
        }),
      )
      .min(1)
      .max(200),
    currency,
    codes: z.array(id(64)).max(10).default([]),
    customerGroups: z.array(id(64)).max(50).default([]),
  })
  .openapi('QuoteRequest', {
    example: { items: [{ productId: 'sku-1001', priceMinor: 8_999 }], currency: 'EUR', codes: ['WINTER'] },
  });

const taken = z.object({ offerId: z.string(), amountMinor: z.int() });
export const quote = z
  .object({
    items: z.array(z.object({ productId: z.string(), priceMinor: z.int(), discounts: z.array(taken) })),
    totalMinor: z.int(),
    discounts: z.array(taken).openapi({ description: 'Of the whole order: what its event is to name.' }),
  })
  .openapi('Quote');

export const toOffer = ({ startsAt, endsAt, createdAt, updatedAt, ...rest }: Offer): z.infer<typeof offer> => ({
  ...rest,
  startsAt: startsAt.toISOString(),
  endsAt: endsAt?.toISOString() ?? null,
  createdAt: createdAt.toISOString(),
  updatedAt: updatedAt.toISOString(),
});
