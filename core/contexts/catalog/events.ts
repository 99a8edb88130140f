import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';

const text = (max: number) => z.string().max(max);

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
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .optional(),
  availability: z.enum(['in_stock', 'out_of_stock', 'preorder', 'backorder']).optional(),
});

export const productCoreDataUpdatedPayload = z.looseObject({
  productId: id(128),
  operationType: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['create', 'update', 'delete'])),
  /** When the product changed at its source. */
  timestamp: isoTimestamp,
  merchantId: merchantId.optional(),
  /** What changed; for a create, all that is known. */
  changedAttributes: productAttributes.optional(),
});

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
  versions: [{ version: '1.0.0', schema: productCoreDataUpdatedPayload }],
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
