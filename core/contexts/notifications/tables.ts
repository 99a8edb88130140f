import type { Generated } from 'kysely';
import type { Channel, Priority } from './events.ts';

/**
 * queued    ─► sending ─► sent │ failed │ unknown (the call got no answer, and will not be made again)
 * digested  ─► sending, with all others of its recipient and window
 * queued, digested ─► cancelled
 * suppressed (by preference), undeliverable (no address): from the start
 *
 * In the app, a notification is sent as soon as its row is there.
 */
export type NotificationStatus =
  'queued' | 'digested' | 'sending' | 'sent' | 'failed' | 'unknown' | 'cancelled' | 'suppressed' | 'undeliverable';

export type DigestFrequency = 'none' | 'hourly' | 'daily';

export interface NotificationsTables {
  notification_recipients: {
    merchant_id: string;
    recipient_id: string;
    /** In rows of earlier releases, as is the phone number; else both are sealed. */
    email: string | null;
    /** E.164. */
    phone: string | null;
    sealed: Buffer | null;
    key_id: string | null;
    locale: Generated<string>;
    updated_at: Date;
  };
  notification_preferences: {
    merchant_id: string;
    recipient_id: string;
    channel: Channel;
    category: string;
    enabled: boolean;
    digest: Generated<DigestFrequency>;
    updated_at: Date;
  };
  /** Append-only: a change is a new version. */
  notification_templates: {
    merchant_id: string;
    template_id: string;
    channel: Channel;
    locale: string;
    version: number;
    category: string;
    subject: string;
    body_text: string;
    body_html: string | null;
    created_at: Date;
  };
  notifications: {
    merchant_id: string;
    notification_key: string;
    recipient_id: string;
    channel: Channel;
    template_id: string;
    category: string;
    priority: Priority;
    /** What was asked for: the same key with other parameters is a conflict. */
    parameters_hash: string;
    locale: string;
    /** `builtin:2`, `merchant:5` */
    template_version: string;
    /** Empty where the text is sealed, which it is but in rows of earlier releases. */
    subject: string;
    body_text: string;
    body_html: string | null;
    sealed: Generated<Buffer | null>;
    key_id: Generated<string | null>;
    status: NotificationStatus;
    status_reason: string | null;
    /** When the digest goes out that this is part of. */
    digest_at: Date | null;
    event_id: string;
    /** With `event_id`, which of several requests under one key counts: the earliest. */
    requested_at: Date;
    external_id: string | null;
    sent_at: Date | null;
    read_at: Date | null;
    updated_at: Date;
  };
  /** Every request for a key that its producer chose: those that differ from the notification are conflicts. */
  notification_requests: {
    merchant_id: string;
    notification_key: string;
    event_id: string;
    parameters_hash: string;
    requested_at: Date;
  };
  notification_cancellations: { merchant_id: string; notification_key: string; cancelled_at: Date };
}
