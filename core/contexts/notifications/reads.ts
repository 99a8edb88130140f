import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import type { Channel } from './events.ts';
import { openContacts, openContents } from './sealed.ts';
import type { DigestFrequency, NotificationStatus } from './tables.ts';
import type { MerchantTemplate } from './templates/choose.ts';

type Reader = Kysely<Database> | Transaction<Database>;

export interface Recipient {
  recipientId: string;
  email: string | null;
  phone: string | null;
  locale: string;
}

export interface Preference {
  recipientId: string;
  channel: Channel;
  category: string;
  enabled: boolean;
  digest: DigestFrequency;
}

/** Of a recipient that was erased neither address nor number is left. */
export async function readRecipients(
  db: Reader,
  keyring: Keyring,
  merchantId: string,
  recipientIds: readonly string[],
): Promise<Recipient[]> {
  const rows = await db
    .selectFrom('notification_recipients')
    .select(['recipient_id as recipientId', 'email', 'phone', 'locale', 'sealed', 'key_id as keyId'])
    .where('merchant_id', '=', merchantId)
    .where('recipient_id', 'in', recipientIds)
    .execute();
  return await openContacts(db, keyring, merchantId, rows);
}

export async function readPreferences(
  db: Reader,
  merchantId: string,
  recipientIds: readonly string[],
): Promise<Preference[]> {
  return await db
    .selectFrom('notification_preferences')
    .select(['recipient_id as recipientId', 'channel', 'category', 'enabled', 'digest'])
    .where('merchant_id', '=', merchantId)
    .where('recipient_id', 'in', recipientIds)
    .orderBy('recipient_id')
    .orderBy('channel')
    .orderBy('category')
    .execute();
}

/** The merchant's own templates, newest version in each language; all of them when no ids are given. */
export async function readTemplates(
  db: Reader,
  merchantId: string,
  templateIds?: readonly string[],
): Promise<MerchantTemplate[]> {
  const { rows } = await sql<MerchantTemplate>`
    select distinct on (template_id, channel, locale) template_id as "templateId", channel, locale, version, category,
      subject, body_text as text, body_html as html
    from notification_templates
    where merchant_id = ${merchantId} and ${templateIds === undefined ? sql`true` : sql`template_id = any (${templateIds})`}
    order by template_id, channel, locale, version desc
  `.execute(db);
  return rows;
}

export async function readCancelledKeys(
  db: Reader,
  merchantId: string,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('notification_cancellations')
    .select('notification_key')
    .where('merchant_id', '=', merchantId)
    .where('notification_key', 'in', keys)
    .execute();
  return new Set(rows.map((row) => row.notification_key));
}

export interface Notification {
  key: string;
  recipientId: string;
  channel: Channel;
  templateId: string;
  category: string;
  priority: string;
  /** Empty, as the text is, once the recipient is erased. */
  subject: string;
  text: string;
  status: NotificationStatus;
  statusReason: string | null;
  requestedAt: Date;
  sentAt: Date | null;
  readAt: Date | null;
}

const columns = [
  'notification_key as key',
  'recipient_id as recipientId',
  'channel',
  'template_id as templateId',
  'category',
  'priority',
  'subject',
  'body_text as text',
  'body_html as html',
  'sealed',
  'key_id as keyId',
  'status',
  'status_reason as statusReason',
  'requested_at as requestedAt',
  'sent_at as sentAt',
  'read_at as readAt',
] as const;

export async function readNotification(
  db: Reader,
  keyring: Keyring,
  merchantId: string,
  key: string,
): Promise<Notification | undefined> {
  const rows = await db
    .selectFrom('notifications')
    .select(columns)
    .where('merchant_id', '=', merchantId)
    .where('notification_key', '=', key)
    .execute();
  const [found] = await readable(db, keyring, merchantId, rows);
  return found;
}

/**
 * A page of what a recipient sees in the app, newest first. `next` is the `after` of the following page, undefined on the
 * last: the key of the notification that comes last here.
 */
export async function listInbox(
  db: Reader,
  keyring: Keyring,
  merchantId: string,
  recipientId: string,
  { after, limit, unreadOnly }: { after?: string; limit: number; unreadOnly: boolean },
): Promise<{ items: Notification[]; next: string | undefined }> {
  const rows = await db
    .selectFrom('notifications as n')
    .select(columns)
    .where('merchant_id', '=', merchantId)
    .where('recipient_id', '=', recipientId)
    .where('channel', '=', 'in_app')
    .where('status', '=', 'sent')
    .$if(unreadOnly, (query) => query.where('read_at', 'is', null))
    .$if(after !== undefined, (query) =>
      query.where(
        sql<boolean>`(requested_at, notification_key) < (select requested_at, notification_key from notifications
          where merchant_id = ${merchantId} and notification_key = ${after})`,
      ),
    )
    .orderBy('requested_at', 'desc')
    .orderBy('notification_key', 'desc')
    .limit(limit + 1)
    .execute();
  const items = await readable(db, keyring, merchantId, rows.slice(0, limit));
  return { items, next: rows.length > limit ? items.at(-1)?.key : undefined };
}

async function readable<Row extends Parameters<typeof openContents>[3][number]>(
  db: Reader,
  keyring: Keyring,
  merchantId: string,
  rows: readonly Row[],
) {
  const opened = await openContents(db, keyring, merchantId, rows);
  return opened.map(({ html: _html, erased: _erased, ...row }) => row);
}
