import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';
import { adNetworkIds } from '../campaigns/events.ts';

const amount = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** An ad that the buyer met before the order. */
export const adTouch = z.looseObject({
  adNetworkId: z.enum(adNetworkIds),
  campaignId: id(128),
  kind: z.enum(['click', 'view']),
  at: isoTimestamp,
});

export type AdTouch = z.infer<typeof adTouch>;

/** An order as it stands: a refund, a cancellation or a late touch is the whole order once more. */
export const orderDataAttributedToAdPayload = z
  .looseObject({
    orderId: id(128),
    merchantId: merchantId.optional(),
    orderedAt: isoTimestamp,
    status: z.enum(['placed', 'cancelled']),
    /** Minor units of `currency` (ISO 4217). */
    totalMinor: amount,
    /** Of the total, all refunds so far. */
    refundedMinor: amount.optional(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    touches: z.array(adTouch).max(100),
    /** When the order stood so: decides which of two states is newer. */
    timestamp: isoTimestamp,
  })
  .refine(({ totalMinor, refundedMinor = 0 }) => refundedMinor <= totalMinor, {
    path: ['refundedMinor'],
    error: 'cannot be more than totalMinor',
  });

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
  targetContexts: ['AnalyticsReportingService'],
  versions: [{ version: '1.0.0', schema: orderDataAttributedToAdPayload }],
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
  ],
  example: {
    orderId: 'order-1001',
    merchantId: 'shop-1',
    orderedAt: '2026-11-23T10:10:00.000Z',
    status: 'placed',
    totalMinor: 12_900,
    refundedMinor: 0,
    currency: 'EUR',
    touches: [{ adNetworkId: 'meta', campaignId: 'cmp-1001', kind: 'click', at: '2026-11-21T18:00:00.000Z' }],
    timestamp: '2026-11-23T10:15:00.000Z',
  },
};
