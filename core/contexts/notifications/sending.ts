import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../database/tables.ts';
import type { EffectCall } from '../../events/destination.ts';
import type { Keyring } from '../../people/keyring.ts';
import { LanewayError } from '../../runtime/errors.ts';
import type { Channel } from './events.ts';
import { readRecipients } from './reads.ts';
import { type SealedColumns, openContents } from './sealed.ts';
import type { NotificationStatus } from './tables.ts';

const desiredSending = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('single'), key: z.string() }),
  z.looseObject({ kind: z.literal('digest'), recipientId: z.string(), digestAt: z.iso.datetime() }),
]);
type Sending = z.infer<typeof desiredSending>;

export interface Taken {
  recipientId: string;
  key: string;
  subject: string;
  text: string;
  html: string | null;
  locale: string;
}

const sendingOf = (call: EffectCall): Sending => {
  const parsed = desiredSending.safeParse(call.desired);
  if (parsed.success) return parsed.data;
  throw new LanewayError('effect.rejected', 'the intent does not say what is to be sent', { cause: parsed.error });
};

/** The rows that a call stands for. */
const rowsOf = ({ merchantId, destination }: EffectCall, sending: Sending) =>
  sending.kind === 'single'
    ? sql`merchant_id = ${merchantId} and notification_key = ${sending.key} and digest_at is null`
    : sql`merchant_id = ${merchantId} and recipient_id = ${sending.recipientId} and channel = ${destination}
        and digest_at = ${new Date(sending.digestAt)}::timestamptz`;

/**
 * Takes what a call is to send: from here on it can no longer be cancelled. What was cancelled meanwhile is left, so that
 * there may be nothing to send. A call that is made again, since it certainly did not get through, takes the same again;
 * what may have got through, it never takes.
 */
export async function takeForSending(
  db: Kysely<Database>,
  keyring: Keyring,
  call: EffectCall,
  now: number,
): Promise<Taken[]> {
  const sending = sendingOf(call);
  const { rows } = await sql<Taken & SealedColumns>`
    update notifications n set status = 'sending', updated_at = ${new Date(now)}::timestamptz
    where ${rowsOf(call, sending)} and status in ('queued', 'digested', 'sending', 'failed') and not exists (
      select from notification_cancellations c
      where c.merchant_id = n.merchant_id and c.notification_key = n.notification_key and n.status <> 'sending')
    returning recipient_id as "recipientId", notification_key as key, subject, body_text as text, body_html as html, locale,
      sealed, key_id as "keyId"
  `.execute(db);
  const opened = await openContents(db, keyring, call.merchantId, rows);
  if (opened.some(({ erased }) => erased))
    throw new LanewayError('effect.rejected', 'the person that it was for has been erased');
  return opened.map(({ erased: _erased, ...taken }) => taken).toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** Notes how a call ended for all that it carried. */
export async function recordSending(
  trx: Transaction<Database>,
  call: EffectCall,
  end: { status: Extract<NotificationStatus, 'sent' | 'failed' | 'unknown'>; externalId?: string; reason?: string },
  now: number,
): Promise<void> {
  const at = sql`${new Date(now)}::timestamptz`;
  await sql`
    update notifications set status = ${end.status}, status_reason = ${end.reason?.slice(0, 500) ?? null}::text,
      external_id = ${end.externalId ?? null}::text, updated_at = ${at},
      sent_at = case when ${end.status === 'sent'}::boolean then ${at} end
    where ${rowsOf(call, sendingOf(call))} and status = 'sending'
  `.execute(trx);
}

/** Ends what was cancelled between being asked for and being sent. */
export async function recordNothingSent(trx: Transaction<Database>, call: EffectCall, now: number): Promise<void> {
  await sql`
    update notifications n set status = 'cancelled', status_reason = 'cancelled by key',
      updated_at = ${new Date(now)}::timestamptz
    where ${rowsOf(call, sendingOf(call))} and status in ('queued', 'digested') and exists (
      select from notification_cancellations c
      where c.merchant_id = n.merchant_id and c.notification_key = n.notification_key)
  `.execute(trx);
}

/** Where a recipient is reached by a channel now. Throws `effect.rejected` when it has lost its address meanwhile. */
export async function addressOf(
  db: Kysely<Database>,
  keyring: Keyring,
  merchantId: string,
  recipientId: string,
  channel: Exclude<Channel, 'in_app'>,
): Promise<string> {
  const column = ({ email: 'email', sms: 'phone' } as const)[channel];
  const [recipient] = await readRecipients(db, keyring, merchantId, [recipientId]);
  const address = recipient?.[column] ?? null;
  if (address === null) throw new LanewayError('effect.rejected', `recipient ${recipientId} has no ${column} any more`);
  return address;
}
