import type { ColumnType, Generated } from 'kysely';

/** `sequential`: one message after the other, a later one waits for an earlier one. `parallel`: side by side. */
export type Ordering = 'parallel' | 'sequential';

/** The newest comes first; the others are signed with too until they expire. ISO 8601. */
export interface SigningSecret {
  secret: string;
  expiresAt: string | null;
}

/**
 * pending ─► delivered │ failed (given up, after days or by 410) │ held (its endpoint is disabled)
 * failed, held ─► pending, by a recovery; delivered too, by a resend
 */
export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'held';

export interface WebhooksTables {
  webhook_endpoints: {
    merchant_id: string;
    endpoint_id: string;
    url: string;
    description: Generated<string>;
    /** `campaign.activated`, `campaign.*`, `*` */
    types: string[];
    ordering: Ordering;
    /** Empty where they are sealed, which they are but in rows of earlier releases. */
    secrets: ColumnType<SigningSecret[], string, string>;
    sealed_secrets: Buffer | null;
    key_id: string | null;
    state: Generated<'enabled' | 'disabled' | 'deleted'>;
    state_reason: string | null;
    next_sequence: Generated<number>;
    /** Since when no delivery has succeeded, while some failed. */
    failing_since: Date | null;
    created_at: Date;
    updated_at: Date;
  };
  webhook_deliveries: {
    merchant_id: string;
    endpoint_id: string;
    /** In the order in which the merchant's events came. */
    sequence: number;
    event_id: string;
    webhook_type: string;
    /** As it is signed and sent, byte for byte, every time. Empty where it is sealed: it is about a person. */
    body: string;
    sealed: Generated<Buffer | null>;
    key_id: Generated<string | null>;
    /** Which of the endpoint's effect lanes carries it: `s` in sequence, else a number. */
    lane: string;
    status: DeliveryStatus;
    attempts: Generated<number>;
    last_attempt_at: Date | null;
    response_status: number | null;
    error: string | null;
    created_at: Date;
    delivered_at: Date | null;
  };
  /** Append-only, partitioned by month. */
  webhook_attempts: {
    merchant_id: string;
    endpoint_id: string;
    sequence: number;
    attempt: number;
    at: Date;
    duration_ms: number;
    response_status: number | null;
    /** The first characters of what the endpoint answered. */
    response: string | null;
    error: string | null;
  };
}
