import { contentHash } from '../../runtime/ids.ts';
import { LanewayError } from '../../runtime/errors.ts';
import type { LanewayEvent } from '../../events/envelope.ts';
import type { Channel, NotificationDispatchRequested, Priority } from './events.ts';
import type { Preference, Recipient } from './reads.ts';
import type { DigestFrequency, NotificationStatus } from './tables.ts';
import { isMandatory } from './templates/builtin.ts';
import { type MerchantTemplate, chooseTemplate } from './templates/choose.ts';
import { type Rendered, render } from './templates/render.ts';

/** A notification as one request wants it. */
export interface Wanted {
  key: string;
  recipientId: string;
  channel: Channel;
  templateId: string;
  category: string;
  priority: Priority;
  parametersHash: string;
  locale: string;
  templateVersion: string;
  content: Rendered;
  status: Extract<NotificationStatus, 'queued' | 'digested' | 'sent' | 'cancelled' | 'suppressed' | 'undeliverable'>;
  statusReason: string | null;
  digestAt: Date | null;
  eventId: string;
  requestedAt: Date;
}

/** What a batch of requests needs to know. */
export interface Known {
  recipients: ReadonlyMap<string, Recipient>;
  preferences: readonly Preference[];
  templates: readonly MerchantTemplate[];
  cancelled: ReadonlySet<string>;
}

/**
 * Decides from the request and from what is known, never from when it is handled, so that requests may come in any order.
 * Pure. Throws `notifications.unknown_template` and `notifications.template_invalid`.
 */
export function decideNotification(event: LanewayEvent<NotificationDispatchRequested>, known: Known): Wanted {
  const { payload } = event;
  const recipient = known.recipients.get(payload.recipientId);
  const key = payload.idempotencyKey ?? event.eventId;
  const wantedLocale = payload.locale ?? recipient?.locale ?? 'en';
  const chosen = chooseTemplate(known.templates, { ...payload, locale: wantedLocale });
  if (chosen === undefined)
    throw new LanewayError('notifications.unknown_template', `there is no template ${payload.templateId}`);
  const priority = payload.priority ?? 'medium';
  const requestedAt = new Date(payload.timestamp);
  return {
    key,
    recipientId: payload.recipientId,
    channel: payload.channel,
    templateId: payload.templateId,
    category: chosen.category,
    priority,
    parametersHash: parametersHashOf(payload),
    locale: chosen.locale,
    templateVersion: chosen.version,
    content: render(chosen.source, payload.payloadForTemplate),
    ...fate({ key, recipient, priority, requestedAt, category: chosen.category, ...known }, payload),
    eventId: event.eventId,
    requestedAt,
  };
}

/** What must be the same under one key. When it was asked for, and how urgently, is not part of it. */
export const parametersHashOf = (payload: NotificationDispatchRequested): string =>
  contentHash([
    payload.recipientId,
    payload.channel,
    payload.templateId,
    payload.locale ?? null,
    sortedEntries(payload.payloadForTemplate),
  ]);

const sortedEntries = (values: Record<string, unknown>) =>
  Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));

type Fate = Pick<Wanted, 'status' | 'statusReason' | 'digestAt'>;

function fate(
  request: Pick<Known, 'preferences' | 'cancelled'> &
    Pick<Wanted, 'key' | 'priority' | 'requestedAt' | 'category'> & { recipient: Recipient | undefined },
  { channel, recipientId }: NotificationDispatchRequested,
): Fate {
  const because = (status: Wanted['status'], statusReason: string | null = null): Fate => ({
    status,
    statusReason,
    digestAt: null,
  });
  const { recipient, category } = request;
  if (request.cancelled.has(request.key)) return because('cancelled', 'cancelled before it was asked for');
  const preference = request.preferences.find(
    (each) => each.recipientId === recipientId && each.channel === channel && each.category === category,
  );
  const mandatory = isMandatory(category);
  if (preference?.enabled === false && !mandatory) return because('suppressed', `${category} by ${channel} is off`);
  switch (channel) {
    case 'in_app':
      return because('sent');
    case 'sms':
      return (recipient?.phone ?? null) === null
        ? because('undeliverable', 'the recipient has no phone number')
        : because('queued');
    case 'email': {
      if ((recipient?.email ?? null) === null) return because('undeliverable', 'the recipient has no email address');
      const frequency = preference?.digest ?? 'none';
      if (frequency === 'none' || mandatory || request.priority === 'high') return because('queued');
      return { status: 'digested', statusReason: null, digestAt: digestTime(request.requestedAt, frequency) };
    }
    default:
      return channel satisfies never;
  }
}

const HOUR_MS = 3_600_000;

/** The end of the hour, or of the day in UTC, in which the notification was asked for. */
export function digestTime(requestedAt: Date, frequency: Exclude<DigestFrequency, 'none'>): Date {
  const span = frequency === 'hourly' ? HOUR_MS : 24 * HOUR_MS;
  return new Date((Math.floor(requestedAt.getTime() / span) + 1) * span);
}
