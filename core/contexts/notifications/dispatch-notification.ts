import type { LanewayEvent } from '../../events/envelope.ts';
import { type HandlerContext, type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import { requireKeyring } from '../../people/sealed-values.ts';
import { type Known, type Wanted, decideNotification } from './decide-notification.ts';
import type { NotificationDispatchRequested } from './events.ts';
import { readCancelledKeys, readPreferences, readRecipients, readTemplates } from './reads.ts';
import { type Kept, keepNotifications } from './keep-notifications.ts';

type Request = LanewayEvent<NotificationDispatchRequested>;

/** Low priority lets everything else of the merchant go first for so long. */
const LOW_PRIORITY_MS = 60_000;

/**
 * Writes down what is asked for, filled in and decided: whether, how and when it goes out. The sending itself is an intent:
 * one for each notification, or one for all that a digest holds together.
 */
export const dispatchNotification = defineHandler<NotificationDispatchRequested>({
  async handleMany(events, context): Promise<readonly Outcome[]> {
    const known = await readKnown(context, events);
    const wanted = events.map((event) => decideNotification(event, known));
    const kept = await keepNotifications(context, events[0]?.merchantId ?? '', wanted);
    for (const [index, event] of events.entries()) {
      const each = wanted[index];
      const held = each === undefined ? undefined : kept.get(each.key);
      if (each !== undefined && held?.eventId === event.eventId) intendSending(event, each, held, context);
    }
    return wanted.map((each) => outcomeOf(each, kept.get(each.key)));
  },
});

async function readKnown({ trx, keyring }: HandlerContext, events: readonly Request[]): Promise<Known> {
  const merchantId = events[0]?.merchantId ?? '';
  const recipientIds = [...new Set(events.map(({ payload }) => payload.recipientId))];
  const templateIds = [...new Set(events.map(({ payload }) => payload.templateId))];
  const keys = events.map(({ payload, eventId }) => payload.idempotencyKey ?? eventId);
  const recipients = await readRecipients(trx, requireKeyring(keyring), merchantId, recipientIds);
  return {
    recipients: new Map(recipients.map((recipient) => [recipient.recipientId, recipient])),
    preferences: await readPreferences(trx, merchantId, recipientIds),
    templates: await readTemplates(trx, merchantId, templateIds),
    cancelled: await readCancelledKeys(trx, merchantId, keys),
  };
}

/** A request that came again once the notification is on its way, or ended, asks for nothing. */
function intendSending(event: Request, wanted: Wanted, held: Kept, context: HandlerContext): void {
  if (held.status === 'queued')
    context.intend(event, {
      destination: wanted.channel,
      objectKey: wanted.key,
      desired: { kind: 'single', key: wanted.key, parameters: wanted.parametersHash },
      notBeforeMs: startOf(wanted.priority, context.now),
    });
  if (held.status === 'digested' && held.digestAt !== null)
    context.intend(event, {
      destination: wanted.channel,
      objectKey: `digest:${wanted.recipientId}:${held.digestAt.toISOString()}`,
      desired: { kind: 'digest', recipientId: wanted.recipientId, digestAt: held.digestAt.toISOString() },
      notBeforeMs: held.digestAt.getTime(),
    });
}

/** Effects of a lane are worked in the order of their times, so that an early one goes before what waits already. */
function startOf(priority: Wanted['priority'], now: number): number {
  switch (priority) {
    case 'high':
      return 1;
    case 'medium':
      return now;
    case 'low':
      return now + LOW_PRIORITY_MS;
    default:
      return priority satisfies never;
  }
}

function outcomeOf(wanted: Wanted, held: Kept | undefined): Outcome {
  if (held !== undefined && held.parametersHash !== wanted.parametersHash)
    return skip(`conflict: ${wanted.key} was asked for with other parameters by ${held.eventId}`);
  if (held !== undefined && held.eventId !== wanted.eventId) return skip(`asked for already by ${held.eventId}`);
  switch (wanted.status) {
    case 'queued':
    case 'digested':
    case 'sent':
      return done;
    case 'cancelled':
    case 'suppressed':
    case 'undeliverable':
      return skip(wanted.statusReason ?? wanted.status);
    default:
      return wanted.status satisfies never;
  }
}
