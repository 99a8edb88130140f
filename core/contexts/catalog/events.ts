import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId, utcTimestamp } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';
import { feedNetworkIds } from './feeds/feed-account.ts';

const text = (max: number) => z.string().max(max);

const currency = z.string().regex(/^[A-Z]{3}$/);
const availability = z.enum(['in_stock', 'out_of_stock', 'preorder', 'backorder']);

/** A colour or size of a product. What it does not say itself, the product says for it. */
export const productVariant = z.looseObject({
  variantId: id(128),
  /** The variant is no longer offered. */
  deleted: z.boolean().optional(),
  title: text(500).optional(),
  gtin: text(50).optional(),
  link: text(2_000).optional(),
  imageLink: text(2_000).optional(),
  /** Minor units of `currency` (ISO 4217). */
  priceMinor: z.int().min(0).optional(),
  currency: currency.optional(),
  availability: availability.optional(),
});

/** Attributes that the catalog understands; others are kept as they are. */
export const productAttributes = z.looseObject({
  title: text(500).optional(),
  description: text(10_000).optional(),
  brand: text(200).optional(),
  gtin: text(50).optional(),
  link: text(2_000).optional(),
  imageLink: text(2_000).optional(),
  /** Minor units of `currency` (ISO 4217). */
  priceMinor: z.int().min(0).optional(),
  currency: currency.optional(),
  availability: availability.optional(),
  /** Variants that changed; those that are not named stay as they are. */
  variants: z.array(productVariant).max(200).optional(),
});

const operationTypes = ['create', 'update', 'delete'] as const;

export const productCoreDataUpdatedPayload = z.looseObject({
  productId: id(128),
  operationType: z.enum(operationTypes),
  /** When the product changed at its source, in UTC. */
  timestamp: utcTimestamp,
  merchantId: merchantId.optional(),
  /** What changed; for a create, all that is known. */
  changedAttributes: productAttributes.optional(),
});

/** Of version 1, whose producers write operations in either case and times with any offset. */
export const productCoreDataUpdatedPayloadV1 = productCoreDataUpdatedPayload.extend({
  operationType: z.string().toLowerCase().pipe(z.enum(operationTypes)),
  timestamp: isoTimestamp,
});

/** Brings a payload of version 1 to version 2. Throws a ZodError for one that is none. */
export function upcastProductChange(payload: unknown): ProductCoreDataUpdated {
  const change = productCoreDataUpdatedPayloadV1.parse(payload);
  return { ...change, timestamp: new Date(change.timestamp).toISOString() };
}

export type ProductCoreDataUpdated = z.infer<typeof productCoreDataUpdatedPayload>;

export const productCoreDataUpdatedEvent: EventDefinition = {
  id: 'evt_prod_core_upd_001',
  name: 'ProductCoreDataUpdatedEvent',
  type: 'integration',
  category: 'Data Synchronization',
  description: 'A product was created, changed or deleted on the core platform.',
  frequency: 'medium',
  priority: 'high',
  criticality: 'critical',
  routingKey: 'product.core.updated',
  sourceContext: 'CorePlatformIntegrationService',
  targetContexts: ['ProductCatalogService', 'AnalyticsReportingService'],
  versions: [
    { version: '1.0.0', schema: productCoreDataUpdatedPayloadV1, upcast: upcastProductChange },
    { version: '2.0.0', schema: productCoreDataUpdatedPayload },
  ],
  aggregate: (payload) => `product:${productCoreDataUpdatedPayload.parse(payload).productId}`,
  route: 'fifo',
  queue: 'ProductSyncEventsQueue',
  deadLetterQueue: 'ProductSyncEventsDLQ',
  timeoutMs: 30_000,
  retry: laneRetry,
  thresholds: thresholds('high'),
  handlers: [
    {
      name: 'handleProductCoreUpdate',
      service: 'ProductCatalogService',
      holds: 'merchant',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('./handle-product-core-update.ts')).handleProductCoreUpdate,
    },
    {
      name: 'handleProductDimensionUpdate',
      service: 'AnalyticsReportingService',
      holds: 'merchant',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('../analytics/handle-product-dimension-update.ts')).handleProductDimensionUpdate,
    },
  ],
  example: {
    productId: 'sku-1001',
    operationType: 'update',
    timestamp: '2026-11-23T10:15:00.000Z',
    changedAttributes: { title: 'Trail shoe', priceMinor: 8_999, currency: 'EUR', availability: 'in_stock' },
  },
};

const tally = z.int().min(0).max(10_000_000);

export const productCatalogFeedReadyForSubmissionPayload = z.looseObject({
  feedId: id(128),
  merchantId,
  adNetworkId: z.enum(feedNetworkIds),
  /** Numbers the runs of the feed: a later one overtakes an earlier one item by item. */
  feedRun: z.int().min(1),
  feedMode: z.enum(['full', 'delta']),
  itemCount: tally,
  /** Items that are no longer offered. */
  removalCount: tally.optional(),
  /** Items that were left out because the network would refuse them. */
  invalidCount: tally.optional(),
  partCount: z.int().min(0).max(100_000),
  /** When the feed was built. */
  timestamp: isoTimestamp,
});

export type ProductCatalogFeedReadyForSubmission = z.infer<typeof productCatalogFeedReadyForSubmissionPayload>;

export const productCatalogFeedReadyForSubmissionEvent: EventDefinition = {
  id: 'evt_prod_feed_ready_001',
  name: 'ProductCatalogFeedReadyForSubmissionEvent',
  type: 'domain',
  category: 'Product Feeds',
  description: 'A product catalog feed was built and is ready to be submitted to its ad network.',
  frequency: 'medium',
  priority: 'medium',
  criticality: 'important',
  routingKey: 'product.catalog.feed.ready',
  sourceContext: 'ProductCatalogService',
  targetContexts: ['AdNetworkIntegrationService'],
  versions: [{ version: '1.0.0', schema: productCatalogFeedReadyForSubmissionPayload }],
  aggregate: (payload) => `feed:${productCatalogFeedReadyForSubmissionPayload.parse(payload).feedId}`,
  route: 'fifo',
  queue: 'ProductCatalogFeedEventsQueue',
  deadLetterQueue: 'ProductCatalogFeedEventsDLQ',
  timeoutMs: 60_000,
  retry: laneRetry,
  thresholds: thresholds('medium'),
  handlers: [
    {
      name: 'submitProductCatalogFeed',
      service: 'AdNetworkIntegrationService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('./feeds/submit-product-catalog-feed.ts')).submitProductCatalogFeed,
    },
  ],
  example: {
    feedId: 'feed-1',
    merchantId: 'shop-1',
    adNetworkId: 'google_merchant',
    feedRun: 1,
    feedMode: 'full',
    itemCount: 250,
    removalCount: 0,
    invalidCount: 3,
    partCount: 3,
    timestamp: '2026-11-23T10:15:00.000Z',
  },
};
