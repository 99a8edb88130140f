import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { figure } from '../../events/figures.ts';
import { laneRetry } from '../../runtime/retry.ts';

/** A click on an affiliate's link, as the shop's own page remembers it. */
const touchpoint = z.looseObject({ affiliateId: id(64), clickedAt: isoTimestamp });

export const affiliateConversionPayload = z
  .looseObject({
    orderId: id(128),
    conversionType: z.enum(['purchase', 'refund']),
    /** Minor units: what commission is paid on, or what was given back. */
    amountMinor: figure,
    currency: z.string().regex(/^[A-Z]{3}$/),
    /** When it happened. */
    timestamp: isoTimestamp,
    merchantId: merchantId.optional(),
    /** Clicks that our own redirect recorded: `lw_click` of the address that the customer came to. */
    clickIds: z.array(id(64)).max(50).optional(),
    touchpoints: z.array(touchpoint).max(50).optional(),
    /** Names the customer without saying who it is; compared with the affiliate's own. */
    customerRef: id(128).optional(),
    /** Tells several refunds of one order apart. */
    refundId: id(128).optional(),
  })
  .refine(({ conversionType, refundId }) => conversionType === 'purchase' || refundId !== undefined, {
    error: 'a refund needs a refundId',
    path: ['refundId'],
  });

export type AffiliateConversion = z.infer<typeof affiliateConversionPayload>;

export const affiliateConversionAttributionRequiredEvent: EventDefinition = {
  id: 'evt_affiliate_conv_attr_001',
  name: 'AffiliateConversionAttributionRequiredEvent',
  type: 'domain',
  category: 'Affiliate Marketing',
  description: 'An order was placed or refunded, and the affiliate who brought it is to be found and paid.',
  frequency: 'medium',
  priority: 'medium',
  criticality: 'important',
  routingKey: 'affiliate.conversion.attribution.required',
  sourceContext: 'CorePlatformIntegrationService',
  targetContexts: ['AffiliateMarketingService'],
  versions: [{ version: '1.0.0', schema: affiliateConversionPayload }],
  person: (payload) => z.looseObject({ customerRef: id(128) }).safeParse(payload).data?.customerRef,
  aggregate: (payload) => `order:${affiliateConversionPayload.parse(payload).orderId}`,
  route: 'fifo',
  queue: 'AffiliateConversionQueue',
  deadLetterQueue: 'AffiliateConversionDLQ',
  timeoutMs: 30_000,
  retry: laneRetry,
  thresholds: thresholds('medium'),
  handlers: [
    {
      name: 'attributeAffiliateConversion',
      service: 'AffiliateMarketingService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'delta',
      load: async () => (await import('./attribute-affiliate-conversion.ts')).attributeAffiliateConversion,
    },
  ],
  example: {
    orderId: 'ord-1001',
    conversionType: 'purchase',
    amountMinor: 12_900,
    currency: 'EUR',
    timestamp: '2026-11-23T10:15:00.000Z',
    touchpoints: [{ affiliateId: 'aff-blog', clickedAt: '2026-11-22T18:03:00.000Z' }],
  },
};
