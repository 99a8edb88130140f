import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import type { Emission } from '../../events/handler.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';

export const channels = ['email', 'sms', 'in_app'] as const;
export type Channel = (typeof channels)[number];

export const priorities = ['low', 'medium', 'high'] as const;
export type Priority = (typeof priorities)[number];

/** Producers write `in-app` as well. */
const channel = z
  .string()
  .overwrite((text) => text.toLowerCase().replace('-', '_'))
  .pipe(z.enum(channels));

const dispatchRequestedV1 = z.looseObject({
  recipientId: id(128),
  channel,
  templateId: id(128),
  /** The values that the template names. */
  payloadForTemplate: z.record(z.string().max(128), z.unknown()),
  timestamp: isoTimestamp,
  priority: z.enum(priorities).optional(),
  merchantId: merchantId.optional(),
});

export const notificationDispatchRequestedPayload = dispatchRequestedV1.extend({
  /**
   * Names the notification: what is asked for twice under one key is sent once, and it can be cancelled by it. The event's
   * own id when it is left out.
   */
  idempotencyKey: id(200).optional(),
  /** BCP 47; the recipient's own when it is left out. */
  locale: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/)
    .optional(),
});

export type NotificationDispatchRequested = z.infer<typeof notificationDispatchRequestedPayload>;

/**
 * What tells a merchant's owner in the app. `key` names the occurrence: however often it is told of, it is shown once.
 * @param at ISO 8601: when it happened
 */
export const tellOwner = (
  templateId: string,
  key: string,
  payloadForTemplate: Record<string, unknown>,
  at: string,
): Emission => ({
  eventType: 'NotificationDispatchRequestedEvent',
  payload: {
    recipientId: 'owner',
    channel: 'in_app',
    templateId,
    payloadForTemplate,
    timestamp: at,
    idempotencyKey: `${templateId}:${key}`,
  },
});

export const notificationDispatchRequestedEvent: EventDefinition = {
  id: 'evt_notify_dispatch_req_001',
  name: 'NotificationDispatchRequestedEvent',
  type: 'system',
  category: 'Utility',
  description: 'A notification is to be sent to a user or system by email, SMS or in the app.',
  frequency: 'medium',
  priority: 'medium',
  criticality: 'important',
  routingKey: 'notification.dispatch.requested',
  sourceContext: 'Any Service',
  targetContexts: ['NotificationService'],
  versions: [
    { version: '1.0.0', schema: dispatchRequestedV1, upcast: (payload) => payload },
    { version: '1.1.0', schema: notificationDispatchRequestedPayload },
  ],
  person: (payload) => z.looseObject({ recipientId: id(128) }).safeParse(payload).data?.recipientId,
  route: 'standard',
  queue: 'NotificationDispatchQueue',
  deadLetterQueue: 'NotificationDispatchDLQ',
  topic: 'NotificationEventsTopic',
  filter: { eventType: ['NotificationDispatchRequestedEvent'] },
  timeoutMs: 15_000,
  retry: laneRetry,
  thresholds: thresholds('medium'),
  handlers: [
    {
      name: 'dispatchNotification',
      service: 'NotificationService',
      holds: 'event',
      onPoison: 'release',
      effect: 'delta',
      load: async () => (await import('./dispatch-notification.ts')).dispatchNotification,
    },
  ],
  example: {
    recipientId: 'owner',
    channel: 'email',
    templateId: 'payment-failed',
    payloadForTemplate: { invoiceNumber: '2026-11-000042', amount: '59.00 EUR', nextAttempt: '2026-11-26' },
    timestamp: '2026-11-23T10:15:00.000Z',
    priority: 'high',
  },
};
