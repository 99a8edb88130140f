import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import type { Emission } from '../../events/handler.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';

/** `campaign.activated`: what happened, for subscriptions to choose by. */
export const webhookType = z.string().regex(/^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){1,4}$/, {
  error: 'must be words separated by dots, such as campaign.activated',
});

export const thirdPartyAppWebhookPayload = z.looseObject({
  webhookType,
  /** When it happened. */
  timestamp: isoTimestamp,
  data: z.record(z.string().max(128), z.unknown()),
  /** Whom it is about. Left out, a `customerId` or `customerRef` of its data says so. */
  customerId: id(128).optional(),
  merchantId: merchantId.optional(),
  /** To this endpoint alone, whatever it subscribes to. */
  endpointId: id(64).optional(),
  /**
   * Nothing new: what an endpoint did not get is sent again, or one message to it. `after` is where a recovery goes on that
   * is too large for one event.
   */
  redelivery: z
    .looseObject({ since: isoTimestamp.optional(), eventId: id(128).optional(), after: z.int().min(0).optional() })
    .optional(),
});

export type ThirdPartyAppWebhook = z.infer<typeof thirdPartyAppWebhookPayload>;

const person = z
  .union([id(128), z.int().transform(String)])
  .optional()
  .catch(undefined);
const naming = z.looseObject({ customerId: person, customerRef: person });

/** The person that a payload is about, by its own word or that of its data. */
export function personOf(payload: unknown): string | undefined {
  const { data, ...own } = z.looseObject({ data: z.unknown() }).safeParse(payload).data ?? {};
  for (const each of [own, data]) {
    const named = naming.safeParse(each).data;
    const subjectId = named?.customerId ?? named?.customerRef;
    if (subjectId !== undefined) return subjectId;
  }
  return undefined;
}

/**
 * What tells a merchant's third-party apps that something happened.
 * @param at ISO 8601: when it happened
 */
export const tellApps = (webhookType: string, data: Record<string, unknown>, at: string): Emission => ({
  eventType: 'ThirdPartyAppWebhookEvent',
  payload: { webhookType, timestamp: at, data },
});

export const thirdPartyAppWebhookEvent: EventDefinition = {
  id: 'evt_third_party_webhook_001',
  name: 'ThirdPartyAppWebhookEvent',
  type: 'integration',
  category: 'Third-Party Integration',
  description: 'Something happened that subscribed third-party apps are to be told.',
  frequency: 'medium',
  priority: 'medium',
  criticality: 'important',
  routingKey: 'thirdparty.app.webhook',
  sourceContext: 'AdManager',
  targetContexts: ['ThirdPartyIntegrationService'],
  versions: [{ version: '1.0.0', schema: thirdPartyAppWebhookPayload }],
  person: personOf,
  route: 'fifo',
  queue: 'ThirdPartyWebhookQueue',
  deadLetterQueue: 'ThirdPartyWebhookDLQ',
  timeoutMs: 30_000,
  retry: laneRetry,
  thresholds: thresholds('medium'),
  handlers: [
    {
      name: 'deliverThirdPartyAppWebhook',
      service: 'ThirdPartyIntegrationService',
      holds: 'merchant',
      onPoison: 'release',
      effect: 'delta',
      load: async () => (await import('./deliver-third-party-app-webhook.ts')).deliverThirdPartyAppWebhook,
    },
  ],
  example: {
    webhookType: 'campaign.activated',
    timestamp: '2026-11-23T10:15:00.000Z',
    data: { campaignId: 'cmp-1001', adNetworkIds: ['meta'] },
  },
};
