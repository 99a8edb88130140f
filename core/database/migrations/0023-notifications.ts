import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';

/** Notifications: whom to reach and how, templates by version, and each notification with what became of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table notification_recipients (
      merchant_id text collate "C" not null,
      recipient_id text collate "C" not null,
      email text,
      phone text,
      locale text not null default 'en',
      updated_at timestamptz not null,
      primary key (merchant_id, recipient_id)
    );

    create table notification_preferences (
      merchant_id text collate "C" not null,
      recipient_id text collate "C" not null,
      channel text not null check (channel in ('email', 'sms', 'in_app')),
      category text not null,
      enabled boolean not null,
      digest text not null default 'none' check (digest in ('none', 'hourly', 'daily')),
      updated_at timestamptz not null,
      primary key (merchant_id, recipient_id, channel, category)
    );

    create table notification_templates (
      merchant_id text collate "C" not null,
      template_id text collate "C" not null,
      channel text not null check (channel in ('email', 'sms', 'in_app')),
      locale text not null,
      version integer not null,
      category text not null,
      subject text not null,
      body_text text not null,
      body_html text,
      created_at timestamptz not null,
      primary key (merchant_id, template_id, channel, locale, version)
    );

    create table notifications (
      merchant_id text collate "C" not null,
      notification_key text collate "C" not null,
      recipient_id text collate "C" not null,
      channel text not null,
      template_id text not null,
      category text not null,
      priority text not null,
      parameters_hash text not null,
      locale text not null,
      template_version text not null,
      subject text not null,
      body_text text not null,
      body_html text,
      status text not null check (status in ('queued', 'digested', 'sending', 'sent', 'failed', 'unknown', 'cancelled',
        'suppressed', 'undeliverable')),
      status_reason text,
      digest_at timestamptz,
      event_id text collate "C" not null,
      requested_at timestamptz not null,
      external_id text,
      sent_at timestamptz,
      read_at timestamptz,
      updated_at timestamptz not null,
      primary key (merchant_id, notification_key)
    ) with (fillfactor = 80);
    create index notifications_of_recipient on notifications (merchant_id, recipient_id, requested_at desc,
      notification_key desc) where channel = 'in_app';
    create index notifications_in_digest on notifications (merchant_id, recipient_id, channel, digest_at)
      where status in ('digested', 'sending') and digest_at is not null;

    create table notification_requests (
      merchant_id text collate "C" not null,
      notification_key text collate "C" not null,
      event_id text collate "C" not null,
      parameters_hash text not null,
      requested_at timestamptz not null,
      primary key (merchant_id, notification_key, event_id)
    );

    create table notification_cancellations (
      merchant_id text collate "C" not null,
      notification_key text collate "C" not null,
      cancelled_at timestamptz not null,
      primary key (merchant_id, notification_key)
    );
  `.execute(db);
  await grantMerchantTables(db, {
    read: ['notification_requests'],
    write: [
      'notification_recipients',
      'notification_preferences',
      'notification_templates',
      'notifications',
      'notification_cancellations',
    ],
  });
  await sql`revoke update, delete on notification_templates from laneway_worker, laneway_gateway`.execute(db);
}
