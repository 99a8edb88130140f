import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { AccessTables } from '../contexts/access/tables.ts';
import type { AdNetworksTables } from '../contexts/ad-networks/tables.ts';
import type { AffiliatesTables } from '../contexts/affiliates/tables.ts';
import type { AnalyticsTables } from '../contexts/analytics/tables.ts';
import type { BillingTables } from '../contexts/billing/tables.ts';
import type { AudiencesTables } from '../contexts/audiences/tables.ts';
import type { CampaignsTables } from '../contexts/campaigns/tables.ts';
import type { CatalogTables } from '../contexts/catalog/tables.ts';
import type { NotificationsTables } from '../contexts/notifications/tables.ts';
import type { CorePlatformTables } from '../contexts/core-platform/tables.ts';
import type { PromotionsTables } from '../contexts/promotions/tables.ts';
import type { WebhooksTables } from '../contexts/webhooks/tables.ts';
import type { PlatformTables } from '../contexts/platform/tables.ts';
import type { RetentionTables } from '../contexts/retention/tables.ts';
import type { ErrorRecord } from '../runtime/errors.ts';
import type { PeopleTables } from '../people/tables.ts';
import type { ScheduleTables } from '../schedules/tables.ts';

type Json<T> = ColumnType<T, string, string>;
type OptionalJson<T> = ColumnType<T | null, string | null | undefined, string | null>;
/** Days are `YYYY-MM-DD` strings and bigints are numbers: see core/clients/postgres.ts. */
type Day = string;

export interface EngineTables {
  mailbox: { merchant_id: string; next_mseq: Generated<number>; last_day: Day; touched_at: Date };
  accepted: {
    merchant_id: string;
    event_id: string;
    body_hmac: Buffer;
    mseq: number;
    day: Day;
    accepted_at: Date;
  };
  inbox: {
    merchant_id: string;
    day: Day;
    mseq: number;
    event_id: string;
    event_type: string;
    event_version: string;
    correlation_id: string;
    traceparent: string;
    source_queue: string;
    received_at: Date;
    bytes: number;
    /** The bytes as received: upcasting happens when they are handled. */
    body: Buffer;
    key_id: string | null;
  };
  lanes: {
    merchant_id: string;
    owner: string | null;
    worker: string | null;
    cursor: Generated<number>;
    cursor_day: Generated<Day>;
    state: Generated<'active' | 'paused' | 'blocked'>;
    state_reason: string | null;
    /** Who put the lane into its state, and when: an operator, or the worker that blocked it. */
    state_by: Generated<string | null>;
    state_at: Generated<Date | null>;
    /** Set while the lane drains: the mseq up to which it is worked before it is paused. */
    drain_to: Generated<number | null>;
    /** Rows in `deliveries`, kept under the fence so that a lane without any need not look. */
    open_deliveries: Generated<number>;
    /** Raised by a resume, so that an actor about to suspend notices it. */
    wake: Generated<number>;
    /** Quanta per turn. */
    weight: Generated<number>;
    /** Events per second; null: no limit. The bucket holds `rate_tokens` as of `rate_at`. */
    rate_per_second: Generated<number | null>;
    rate_tokens: Generated<number>;
    rate_at: Generated<Date | null>;
    /** When the sweeper must wake this lane although its cursor may have caught up. */
    due_at: Date | null;
    updated_at: Generated<Date>;
  };
  deliveries: {
    merchant_id: string;
    mseq: number;
    handler: string;
    day: Day;
    event_id: string;
    event_type: string;
    /** waiting: for `not_before`. behind: an earlier one of its key. parked: an operator. redrive: asked for again. */
    state: 'waiting' | 'behind' | 'parked' | 'redrive';
    holds: 'merchant' | 'aggregate' | 'event';
    hold_key: string | null;
    attempt: Generated<number>;
    crashes: Generated<number>;
    /** What an operator decided about the pair instead of trying it again. */
    verdict: Generated<'skip' | 'dead' | null>;
    not_before: Date | null;
    first_error: OptionalJson<ErrorRecord>;
    last_error: OptionalJson<ErrorRecord>;
    created_at: Date;
    updated_at: Date;
  };
  settlements: {
    merchant_id: string;
    day: Day;
    mseq: number;
    handler: string;
    event_id: string;
    outcome: 'done' | 'skip' | 'dead';
    reason: string | null;
    attempts: Generated<number>;
    out_of_order: Generated<boolean>;
    settled_seq: Generated<number>;
    settled_at: Date;
    worker: string;
    owner: string;
  };
  applied: {
    handler: string;
    event_id: string;
    merchant_id: string;
    mseq: number;
    settled_seq: number;
    settled_at: Date;
    worker: string;
    owner: string;
  };
  /** Handlers that count. `generation` rises with every change, for workers to notice it. */
  handler_starts: {
    handler: string;
    event_type: string;
    generation: number;
    started_at: Date;
    retired_at: Date | null;
  };
  /** Who has which handlers, as of its last heartbeat. */
  worker_handlers: { worker: string; handlers: string[]; seen_at: Date };
  outbox_heads: { merchant_id: string; next_seq: number };
  outbox: {
    merchant_id: string;
    seq: number;
    stream: 'events' | 'dead-letters';
    shard: number;
    event_id: string;
    event_type: string;
    /** `queue:Name` or `topic:Name`, names as in the specification. */
    destination: string;
    deduplication_id: string;
    attributes: Json<Record<string, string>>;
    body: Buffer;
    key_id: string | null;
    created_at: Date;
    attempts: Generated<number>;
    not_before: Date | null;
    last_error: string | null;
    state: Generated<'pending' | 'sent' | 'unsendable'>;
    sent_at: Date | null;
  };
  /** One row, by which the workers take turns: see workers/sweep-turn.ts. */
  sweep_turn: {
    singleton: Generated<boolean>;
    holder: string | null;
    began_at: Generated<Date>;
    held_until: Generated<Date>;
    recent_at: Generated<Date>;
    full_at: Generated<Date>;
    full_asked: Generated<number>;
    full_done: Generated<number>;
    due_lane: OptionalJson<readonly string[]>;
    due_effect: OptionalJson<readonly string[]>;
  };
  relay_leases: { shard: number; owner: string; worker: string; expires_at: Date };
  effect_lanes: {
    merchant_id: string;
    destination: string;
    owner: string | null;
    worker: string | null;
    due_at: Date | null;
    updated_at: Date;
    /** The lane's turn in a quota for which it waits. */
    turn_at: Date | null;
  };
  intents: {
    merchant_id: string;
    destination: string;
    object_key: string;
    /** Counts the intents declared for the object. */
    version: number;
    desired: Json<Record<string, unknown>>;
    content_hash: string;
    /** pending ─► sending ─► done; sending ─► unknown (no answer) ─► done or pending; pending ─► dead. */
    state: 'pending' | 'sending' | 'unknown' | 'done' | 'dead';
    event_id: string;
    event_type: string;
    handler: string;
    mseq: number;
    day: Day;
    correlation_id: string;
    traceparent: string;
    deadline_ms: number;
    attempt: Generated<number>;
    not_before: Date | null;
    /** What the last call carried, kept while its outcome is unknown. */
    sent_version: number | null;
    sent_hash: string | null;
    sent_at: Date | null;
    external_id: string | null;
    first_error: OptionalJson<ErrorRecord>;
    last_error: OptionalJson<ErrorRecord>;
    created_at: Date;
    updated_at: Date;
    /** Since when its destination has not answered. */
    first_unavailable_at: Date | null;
  };
  quota_ledger: {
    destination: string;
    window_ms: number;
    tokens: number;
    refilled_at: Date;
    paused_until: Date | null;
    /** The last turn that was given to a lane that waits. */
    turn_at: Date | null;
  };
  redrives: {
    id: string;
    merchant_id: string;
    mseq: number;
    day: Day;
    handler: string;
    requested_by: string;
    reason: string;
    requested_at: Date;
    /** Try again, or settle without trying. */
    verdict: Generated<'retry' | 'skip' | 'dead'>;
    /** Of a pair that never ran, since its handler came after its event. */
    backfill: Generated<boolean>;
    finished_at: Date | null;
    result: string | null;
  };
  /** Append-only: who commanded what, and what it changed. */
  operator_actions: {
    id: GeneratedAlways<number>;
    action: string;
    merchant_id: string | null;
    requested_by: string;
    reason: string;
    requested_at: Date;
    before: OptionalJson<Record<string, unknown>>;
    after: OptionalJson<Record<string, unknown>>;
  };
  redrive_runs: {
    id: string;
    requested_by: string;
    reason: string;
    requested_at: Date;
    per_second: number;
    /** The filters that chose the items. */
    selection: Json<Record<string, unknown>>;
    finished_at: Date | null;
  };
  redrive_items: {
    run_id: string;
    ordinal: number;
    /** handler: a command to a lane. effect: an intent to re-arm. message: what never became an event. */
    kind: 'handler' | 'effect' | 'message';
    /** The dead-letter queue, as the specification calls it. */
    queue: string;
    merchant_id: string | null;
    event_id: string | null;
    handler: string;
    mseq: number | null;
    day: Day | null;
    object_key: string | null;
    message_id: string | null;
    /** pending ─► requested (the command is recorded) │ nothing (it ended well meanwhile) │ failed */
    state: Generated<'pending' | 'requested' | 'nothing' | 'failed'>;
    result: string | null;
    updated_at: Date;
  };
  /** What some release reads, said by its deployment. */
  event_schema_versions: { event_type: string; version: string; registered_at: Date };
  schema_info: { singleton: Generated<boolean>; version: number; breaking_version: number };
}

export type Database = EngineTables &
  ScheduleTables &
  PeopleTables &
  PlatformTables &
  RetentionTables &
  AccessTables &
  CatalogTables &
  AnalyticsTables &
  AudiencesTables &
  CampaignsTables &
  AdNetworksTables &
  NotificationsTables &
  WebhooksTables &
  BillingTables &
  AffiliatesTables &
  PromotionsTables &
  CorePlatformTables;
