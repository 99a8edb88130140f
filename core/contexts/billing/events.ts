import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';

/** `2026-10`: a calendar month. */
export const billingPeriod = z.string().regex(/^20\d\d-(0[1-9]|1[0-2])$/, { error: 'must be a month such as 2026-10' });

export const billingCyclePayload = z.looseObject({
  merchantId,
  billingPeriod,
  timestamp: isoTimestamp,
});

export type BillingCycle = z.infer<typeof billingCyclePayload>;

export const billingCycleEvent: EventDefinition = {
  id: 'evt_billing_cycle_001',
  name: 'BillingCycleEvent',
  type: 'system',
  category: 'Billing',
  description: 'A billing period of a merchant has ended and is to be invoiced.',
  frequency: 'low',
  priority: 'high',
  criticality: 'critical',
  routingKey: 'billing.cycle',
  sourceContext: 'BillingMonetizationService',
  targetContexts: ['BillingMonetizationService', 'AffiliateMarketingService'],
  versions: [{ version: '1.0.0', schema: billingCyclePayload }],
  aggregate: (payload) => `billing:${billingCyclePayload.parse(payload).billingPeriod}`,
  route: 'fifo',
  queue: 'BillingCycleQueue',
  deadLetterQueue: 'BillingCycleDLQ',
  timeoutMs: 60_000,
  retry: laneRetry,
  thresholds: thresholds('high'),
  handlers: [
    {
      name: 'runBillingCycle',
      service: 'BillingMonetizationService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('./run-billing-cycle.ts')).runBillingCycle,
    },
    {
      name: 'issueAffiliateStatements',
      service: 'AffiliateMarketingService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'state',
      load: async () => (await import('../affiliates/issue-affiliate-statements.ts')).issueAffiliateStatements,
    },
  ],
  example: { merchantId: 'shop-1', billingPeriod: '2026-10', timestamp: '2026-11-01T00:00:00.000Z' },
};
