import { type Kysely, type Transaction, sql } from 'kysely';
import { DEFAULT_PLAN, readSubscriptions } from '../billing/reads.ts';
import type { Database } from '../../database/tables.ts';
import { dayOf } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { type QuotaResource, type Quotas, quotasOfPlan } from './quotas.ts';

export interface MaintenanceWindow {
  windowId: string;
  startsAt: Date;
  endsAt: Date;
  reason: string;
}

const columns = ['window_id as windowId', 'starts_at as startsAt', 'ends_at as endsAt', 'reason'] as const;

/** Windows that are under way or to come, the next one first. */
export async function readMaintenance(db: Kysely<Database>, nowMs: number): Promise<MaintenanceWindow[]> {
  return await db
    .selectFrom('maintenance_windows')
    .select(columns)
    .where('cancelled_at', 'is', null)
    .where('ends_at', '>', new Date(nowMs))
    .orderBy('starts_at')
    .orderBy('window_id')
    .limit(100)
    .execute();
}

/** The window that is under way, the one that lasts longest if there are several. */
export async function readCurrentMaintenance(
  db: Kysely<Database>,
  nowMs: number,
): Promise<MaintenanceWindow | undefined> {
  const now = new Date(nowMs);
  return await db
    .selectFrom('maintenance_windows')
    .select(columns)
    .where('cancelled_at', 'is', null)
    .where('starts_at', '<=', now)
    .where('ends_at', '>', now)
    .orderBy('ends_at', 'desc')
    .executeTakeFirst();
}

/**
 * Throws `resource.not_found` for a merchant of whom nothing is known, by what operators may read: no account was opened, no
 * event was accepted and no plan was chosen.
 */
export async function requireKnownMerchant(db: Kysely<Database>, merchantId: string): Promise<void> {
  const { rows } = await sql<{ known: boolean }>`
    select exists (select from mailbox where merchant_id = ${merchantId})
      or exists (select from billing_subscriptions where merchant_id = ${merchantId})
      or exists (select from operator_actions where merchant_id = ${merchantId} and action = 'merchant.open') as known
  `.execute(db);
  if (rows[0]?.known !== true)
    throw new LanewayError('resource.not_found', `nothing is known of a merchant ${JSON.stringify(merchantId)}`);
}

/**
 * How much of each resource a merchant may have: what operators have set, else what its plan of the day includes, else,
 * without a plan, what the smallest does.
 */
export async function readQuotas(db: Kysely<Database>, merchantId: string, nowMs: number): Promise<Quotas> {
  const today = dayOf(nowMs);
  const subscriptions = await readSubscriptions(db, merchantId);
  const plan = subscriptions.findLast(({ fromDay }) => fromDay <= today)?.plan?.planId ?? DEFAULT_PLAN;
  const own = await db
    .selectFrom('merchant_quotas')
    .select(['resource', 'most'])
    .where('merchant_id', '=', merchantId)
    .execute();
  const ofPlan = quotasOfPlan(plan) ?? quotasOfPlan(DEFAULT_PLAN);
  const most = (resource: QuotaResource): number =>
    own.find((each) => each.resource === resource)?.most ?? ofPlan?.[resource] ?? 0;
  return {
    campaigns: most('campaigns'),
    audience_segments: most('audience_segments'),
    webhook_endpoints: most('webhook_endpoints'),
  };
}

/**
 * Lets a merchant have one more of something, or throws `platform.quota_reached`. Two requests of a merchant are counted
 * one after the other.
 */
export async function requireRoom(
  trx: Transaction<Database>,
  merchantId: string,
  resource: QuotaResource,
  count: () => Promise<number>,
  nowMs: number,
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext(${`room:${merchantId}:${resource}`}))`.execute(trx);
  const most = (await readQuotas(trx, merchantId, nowMs))[resource];
  if ((await count()) >= most)
    throw new LanewayError('platform.quota_reached', `A merchant can have ${most} ${resource.replace('_', ' ')}.`);
}
