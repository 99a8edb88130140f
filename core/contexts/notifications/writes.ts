import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import { sealValues } from '../../people/sealed-values.ts';
import { LanewayError } from '../../runtime/errors.ts';
import type { Channel } from './events.ts';
import { contactOf } from './sealed.ts';
import type { DigestFrequency } from './tables.ts';
import { checkTemplate } from './templates/render.ts';

/** The address and number are sealed under the recipient's key. */
export async function saveRecipient(
  trx: Transaction<Database>,
  keyring: Keyring,
  merchantId: string,
  recipient: { recipientId: string; email: string | null; phone: string | null; locale: string },
  nowMs: number,
): Promise<void> {
  const { recipientId, email, phone, locale } = recipient;
  const subject = { merchantId, subjectId: recipientId, occurredAtMs: nowMs };
  const contact = { subject, value: { email, phone }, belongsTo: contactOf(merchantId, recipientId) };
  const [sealed] = await sealValues(trx, keyring, [contact], nowMs);
  const row = {
    email: null,
    phone: null,
    sealed: sealed?.sealed ?? null,
    key_id: sealed?.keyId ?? null,
    locale,
    updated_at: new Date(nowMs),
  };
  await trx
    .insertInto('notification_recipients')
    .values({ merchant_id: merchantId, recipient_id: recipientId, ...row })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'recipient_id']).doUpdateSet(row))
    .execute();
}

export async function savePreference(
  trx: Transaction<Database>,
  merchantId: string,
  preference: {
    recipientId: string;
    channel: Channel;
    category: string;
    enabled: boolean;
    digest: DigestFrequency;
  },
  nowMs: number,
): Promise<void> {
  const row = { enabled: preference.enabled, digest: preference.digest, updated_at: new Date(nowMs) };
  const { recipientId, channel, category } = preference;
  await trx
    .insertInto('notification_preferences')
    .values({ merchant_id: merchantId, recipient_id: recipientId, channel, category, ...row })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'recipient_id', 'channel', 'category']).doUpdateSet(row))
    .execute();
}

export interface NewTemplate {
  templateId: string;
  channel: Channel;
  locale: string;
  category: string;
  subject: string;
  text: string;
  html: string | null;
}

/** Adds a version and resolves with its number. Throws `notifications.template_invalid` for what cannot be parsed. */
export async function saveTemplate(
  trx: Transaction<Database>,
  merchantId: string,
  template: NewTemplate,
  nowMs: number,
): Promise<number> {
  checkTemplate({ subject: template.subject, text: template.text, html: template.html ?? undefined });
  // Two changes at once must not take the same number.
  await sql`select pg_advisory_xact_lock(hashtext(${`template:${merchantId}:${template.templateId}`}))`.execute(trx);
  const { rows } = await sql<{ version: number }>`
    insert into notification_templates (merchant_id, template_id, channel, locale, version, category, subject, body_text,
      body_html, created_at)
    select ${merchantId}, ${template.templateId}, ${template.channel}, ${template.locale}, coalesce(max(version), 0) + 1,
      ${template.category}, ${template.subject}, ${template.text}, ${template.html}::text, ${new Date(nowMs)}::timestamptz
    from notification_templates
    where merchant_id = ${merchantId} and template_id = ${template.templateId} and channel = ${template.channel}
      and locale = ${template.locale}
    returning version
  `.execute(trx);
  return rows[0]?.version ?? 1;
}

/**
 * Cancels a notification that was not sent yet, or will be asked for later. Cancelling twice is cancelling once. Throws
 * `notifications.already_sent` when it is too late.
 */
export async function cancelNotification(
  trx: Transaction<Database>,
  merchantId: string,
  key: string,
  nowMs: number,
): Promise<void> {
  const now = new Date(nowMs);
  await trx
    .insertInto('notification_cancellations')
    .values({ merchant_id: merchantId, notification_key: key, cancelled_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  // Who sends takes the row from queued to sending first: whichever update comes first decides.
  await trx
    .updateTable('notifications')
    .set({ status: 'cancelled', status_reason: 'cancelled by key', updated_at: now })
    .where('merchant_id', '=', merchantId)
    .where('notification_key', '=', key)
    .where('status', 'in', ['queued', 'digested'])
    .execute();
  const found = await trx
    .selectFrom('notifications')
    .select('status')
    .where('merchant_id', '=', merchantId)
    .where('notification_key', '=', key)
    .executeTakeFirst();
  if (found !== undefined && ['sending', 'sent', 'unknown', 'failed'].includes(found.status))
    throw new LanewayError('notifications.already_sent', `notification ${key} is ${found.status} already`);
}

/** Resolves with how many were unread. */
export async function markRead(
  trx: Transaction<Database>,
  merchantId: string,
  recipientId: string,
  keys: readonly string[],
  nowMs: number,
): Promise<number> {
  if (keys.length === 0) return 0;
  const { numUpdatedRows } = await trx
    .updateTable('notifications')
    .set({ read_at: new Date(nowMs), updated_at: new Date(nowMs) })
    .where('merchant_id', '=', merchantId)
    .where('recipient_id', '=', recipientId)
    .where('channel', '=', 'in_app')
    .where('notification_key', 'in', keys)
    .where('read_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}
