import type { Random } from './random.ts';

/** The people of each merchant that notifications go to. */
export const recipients = ['owner', 'manager'] as const;

type Fill = (random: Random) => Record<string, unknown>;

const templates: readonly [readonly [string, Fill], ...(readonly [string, Fill])[]] = [
  ['invoice-paid', (random: Random) => ({ invoiceNumber: `EUR-${random.below(100)}`, amount: '59.00 EUR' })],
  ['campaign-approved', (random: Random) => ({ campaignName: `Sale ${random.below(100)}`, approvedBy: 'the owner' })],
  ['maintenance-window', () => ({ startsAt: '22:00', endsAt: '23:00', reason: 'A new database.' })],
];

/** A notification to one of a merchant's people. Low priority is left out: it waits a minute before it goes. */
export function notificationEvent(random: Random, n: number, timestamp: string): Record<string, unknown> {
  const [templateId, fill] = random.pick(templates);
  const channel = random.next();
  return {
    recipientId: random.pick(recipients),
    channel: channel < 0.5 ? 'email' : channel < 0.7 ? 'sms' : 'in_app',
    templateId,
    payloadForTemplate: fill(random),
    timestamp,
    priority: random.pick(['medium', 'high']),
    ...(random.chance(0.5) ? { idempotencyKey: `note-${n}` } : {}),
  };
}

/** Something that a merchant's third-party apps are to be told. Nobody subscribes to stock. */
export function webhookEvent(random: Random, n: number, timestamp: string): Record<string, unknown> {
  return {
    webhookType: random.pick(['campaign.activated', 'order.attributed', 'stock.low']),
    timestamp,
    data: { number: n, campaignId: `cmp-${1 + random.below(2)}` },
  };
}
