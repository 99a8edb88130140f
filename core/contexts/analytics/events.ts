import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { figure } from '../../events/figures.ts';
import { laneRetry } from '../../runtime/retry.ts';
import { adNetworkIds } from '../campaigns/events.ts';

/** An ad that the buyer met before the order. */
export const adTouch = z.looseObject({
  adNetworkId: z.enum(adNetworkIds),
  campaignId: id(128),
  kind: z.enum(['click', 'view']),
  at: isoTimestamp,
});

export type AdTouch = z.infer<typeof adTouch>;

/** A product of an order. */
const orderLine = z.looseObject({
  productId: id(128),
  quantity: z.int().min(1).max(1_000_000),
  /** What was paid for all of them, in minor units of the order's currency. */
  totalMinor: figure,
  /** Of that, all refunds so far. */
  refundedMinor: figure.optional(),
});

const isRefundable = ({ totalMinor, refundedMinor = 0 }: { totalMinor: number; refundedMinor?: number | undefined }) =>
  refundedMinor <= totalMinor;
const refundExcess = { path: ['refundedMinor'], error: 'cannot be more than totalMinor' };

/** An order as it stands: a refund, a cancellation or a late touch is the whole order once more. */
const firstOrderDataAttributedToAdFields = z.looseObject({
  orderId: id(128),
  merchantId: merchantId.optional(),
  orderedAt: isoTimestamp,
  status: z.enum(['placed', 'cancelled']),
  /** Minor units of `currency` (ISO 4217). */
  totalMinor: figure,
  /** Of the total, all refunds so far. */
  refundedMinor: figure.optional(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  touches: z.array(adTouch).max(100),
  /** When the order stood so: decides which of two states is newer. */
  timestamp: isoTimestamp,
});

/** Of version 1.0.0. */
const firstOrderDataAttributedToAdPayload = firstOrderDataAttributedToAdFields.refine(isRefundable, refundExcess);

export const orderDataAttributedToAdPayload = firstOrderDataAttributedToAdFields
  .extend({
    /** What the merchant calls the buyer, by whom the order can be erased. */
    customerId: id(128).optional(),
    /** What it was for, where reports are to show it by product. */
    lines: z.array(orderLine.refine(isRefundable, refundExcess)).max(200).optional(),
    /**
     * What offers took off the order, in minor units of its currency. An order that ever named some names them in each of
     * its states: leaving them out says nothing of them.
     */
    discounts: z
      .array(z.looseObject({ offerId: id(128), amountMinor: figure }))
      .max(100)
      .optional(),
  })
  .refine(isRefundable, refundExcess);

export type OrderDataAttributedToAd = z.infer<typeof orderDataAttributedToAdPayload>;

export const orderDataAttributedToAdEvent: EventDefinition = {
  id: 'evt_order_attr_ad_001',
  name: 'OrderDataAttributedToAdEvent',
  type: 'integration',
  category: 'Analytics',
  description: 'An order was placed, refunded or cancelled, with the ads that the buyer met before it.',
  frequency: 'high',
  priority: 'high',
  criticality: 'critical',
  routingKey: 'order.attributed.to.ad',
  sourceContext: 'CorePlatformIntegrationService',
  targetContexts: ['AnalyticsReportingService', 'PromotionService'],
  versions: [
    { version: '1.0.0', schema: firstOrderDataAttributedToAdPayload, upcast: (payload) => payload },
    { version: '1.1.0', schema: orderDataAttributedToAdPayload },
  ],
  person: (payload) => z.looseObject({ customerId: id(128) }).safeParse(payload).data?.customerId,
  aggregate: (payload) => `order:${orderDataAttributedToAdPayload.parse(payload).orderId}`,
  route: 'fifo',
  queue: 'OrderAttributionEventsQueue',
  deadLetterQueue: 'OrderAttributionEventsDLQ',
  timeoutMs: 30_000,
  retry: laneRetry,
  thresholds: thresholds('high'),
  handlers: [
    {
      name: 'attributeOrderData',
      service: 'AnalyticsReportingService',
      holds: 'event',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('./attribute-order-data.ts')).attributeOrderData,
    },
    {
      name: 'countOfferDiscounts',
      service: 'PromotionService',
      holds: 'event',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('../promotions/count-offer-discounts.ts')).countOfferDiscounts,
    },
  ],
  example: {
    orderId: 'order-1001',
    merchantId: 'shop-1',
    orderedAt: '2026-11-23T10:10:00.000Z',
    status: 'placed',
    totalMinor: 12_900,
    refundedMinor: 0,
    currency: 'EUR',
    customerId: 'customer-77',
    lines: [{ productId: 'sku-1001', quantity: 2, totalMinor: 11_900 }],
    touches: [{ adNetworkId: 'meta', campaignId: 'cmp-1001', kind: 'click', at: '2026-11-21T18:00:00.000Z' }],
    timestamp: '2026-11-23T10:15:00.000Z',
  },
};
