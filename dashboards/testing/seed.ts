import type { Kysely } from 'kysely';
import type { Database, EngineTables } from '../../core/database/tables.ts';
import { dayOf } from '../../core/runtime/clock.ts';
import type { LaneSummary } from '../reads/lanes.ts';

export interface SeededLane {
  merchantId: string;
  /** Events accepted; the last `backlog` of them are past the cursor. */
  accepted: number;
  backlog: number;
  state?: LaneSummary['state'];
  reason?: string;
  correlationId?: string;
}

/** A merchant with accepted events, a lane with its cursor, and a settlement for each event up to it. */
export async function seedLane(db: Kysely<Database>, lane: SeededLane, nowMs: number): Promise<void> {
  const { merchantId, accepted, backlog } = lane;
  const day = dayOf(nowMs);
  const receivedAt = (mseq: number) => new Date(nowMs - (accepted - mseq + 1) * 1_000);
  const numbers = Array.from({ length: accepted }, (_, index) => index + 1);
  await db
    .insertInto('mailbox')
    .values({ merchant_id: merchantId, next_mseq: accepted + 1, last_day: day, touched_at: new Date(nowMs) })
    .execute();
  await db
    .insertInto('lanes')
    .values({
      merchant_id: merchantId,
      cursor: accepted - backlog,
      cursor_day: day,
      state: lane.state ?? 'active',
      state_reason: lane.reason ?? null,
      worker: 'worker-1',
      owner: 'owner-1',
      updated_at: new Date(nowMs - 5_000),
    })
    .execute();
  if (accepted === 0) return;
  await db
    .insertInto('inbox')
    .values(
      numbers.map((mseq) => ({
        merchant_id: merchantId,
        day,
        mseq,
        event_id: `event-${mseq}`,
        event_type: 'ProductCoreDataUpdatedEvent',
        event_version: '1.0.0',
        correlation_id: lane.correlationId ?? `correlation-${mseq}`,
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        source_queue: 'ProductSyncEventsQueue',
        received_at: receivedAt(mseq),
        bytes: 2,
        body: Buffer.from('{}'),
        key_id: null,
      })),
    )
    .execute();
  if (accepted === backlog) return;
  await db
    .insertInto('settlements')
    .values(
      numbers.slice(0, accepted - backlog).map((mseq) => ({
        merchant_id: merchantId,
        day,
        mseq,
        handler: 'handleProductCoreUpdate',
        event_id: `event-${mseq}`,
        outcome: 'done' as const,
        reason: null,
        settled_at: new Date(nowMs - 2_000),
        worker: 'worker-1',
        owner: 'owner-1',
      })),
    )
    .execute();
}

const failure = (nowMs: number) =>
  JSON.stringify({ code: 'handler.failed', message: 'no answer', at: new Date(nowMs).toISOString() });

/** An event that waits for its third try in 30 s, and its lane that is due then. */
export async function seedWaiting(
  db: Kysely<Database>,
  merchantId: string,
  mseq: number,
  nowMs: number,
): Promise<void> {
  const notBefore = new Date(nowMs + 30_000);
  await db
    .insertInto('deliveries')
    .values({
      merchant_id: merchantId,
      mseq,
      handler: 'handleProductCoreUpdate',
      day: dayOf(nowMs),
      event_id: `event-${mseq}`,
      event_type: 'ProductCoreDataUpdatedEvent',
      state: 'waiting',
      holds: 'merchant',
      hold_key: null,
      attempt: 2,
      not_before: notBefore,
      first_error: failure(nowMs),
      last_error: failure(nowMs),
      created_at: new Date(nowMs - 60_000),
      updated_at: new Date(nowMs),
    })
    .execute();
  await db
    .updateTable('lanes')
    .set({ due_at: notBefore, open_deliveries: 1 })
    .where('merchant_id', '=', merchantId)
    .execute();
}

export async function seedDead(
  db: Kysely<Database>,
  merchantId: string,
  mseq: number,
  handler: string,
  nowMs: number,
): Promise<void> {
  await db
    .insertInto('settlements')
    .values({
      merchant_id: merchantId,
      day: dayOf(nowMs),
      mseq,
      handler,
      event_id: `event-${mseq}`,
      outcome: 'dead',
      reason: 'handler.failed',
      attempts: 4,
      settled_at: new Date(nowMs - 3_000),
      worker: 'worker-1',
      owner: 'owner-1',
    })
    .execute();
}

/** An intent for a campaign, and what is known of the campaign on the network. */
export async function seedEffect(
  db: Kysely<Database>,
  merchantId: string,
  campaignId: string,
  state: EngineTables['intents']['state'],
  nowMs: number,
): Promise<void> {
  const now = new Date(nowMs);
  await db
    .insertInto('intents')
    .values({
      merchant_id: merchantId,
      destination: 'ad-network:meta',
      object_key: campaignId,
      version: 1,
      desired: '{}',
      content_hash: 'hash',
      state,
      event_id: 'event-1',
      event_type: 'CampaignStateChangeRequestedEvent',
      handler: 'synchronizeCampaignStateWithAdNetworks',
      mseq: 1,
      day: dayOf(nowMs),
      correlation_id: 'correlation-1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      deadline_ms: 60_000,
      ...(state === 'dead' ? { last_error: failure(nowMs) } : {}),
      created_at: now,
      updated_at: now,
    })
    .execute();
  await db
    .insertInto('campaign_network_states')
    .values({
      merchant_id: merchantId,
      campaign_id: campaignId,
      ad_network_id: 'meta',
      desired_state: 'active',
      desired_event_id: 'event-1',
      desired: JSON.stringify({ name: campaignId, dailyBudgetMinor: 5_000, currency: 'EUR' }),
      status: state === 'dead' ? 'failed' : 'pending',
      desired_at: now,
    })
    .execute();
}

export async function seedOutbox(db: Kysely<Database>, merchantId: string, nowMs: number): Promise<void> {
  await db
    .insertInto('outbox')
    .values({
      merchant_id: merchantId,
      seq: 1,
      stream: 'events',
      shard: 0,
      event_id: 'event-1',
      event_type: 'ProductCoreDataUpdatedEvent',
      destination: 'queue:ProductSyncEventsQueue',
      deduplication_id: 'event-1',
      attributes: '{}',
      body: Buffer.from('{}'),
      created_at: new Date(nowMs - 10_000),
    })
    .execute();
}
