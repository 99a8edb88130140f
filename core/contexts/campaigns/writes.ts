import type { Transaction, Updateable } from 'kysely';
import { type CampaignRow, type CommandOrigin, type RequestedState, issueCommands } from './command.ts';
import type { AdNetworkId } from './events.ts';
import { isApprovalRequired } from './reads.ts';
import { type RequestableState, checkTransition, isKnownToNetworks } from './state-machine.ts';
import type { CampaignsTables } from './tables.ts';
import type { Database } from '../../database/tables.ts';
import { tellOwner } from '../notifications/events.ts';
import { type BuiltEvent, buildEvent } from '../../events/build.ts';
import { requireRoom } from '../platform/reads.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';

/** What a request brings along beside its body. */
export interface RequestOrigin extends CommandOrigin {
  merchantId: string;
  nowMs: number;
  /** Whether the caller may activate campaigns where that needs approval, and approve others'. */
  mayApprove?: boolean;
}

export interface NewCampaign {
  name: string;
  adNetworkIds: readonly AdNetworkId[];
  /** Minor units of `currency` per day. */
  dailyBudgetMinor: number;
  currency: string;
  productIds: readonly string[];
  /** A draft asks nothing of the networks; everything else, usually active, is requested of them at once. */
  state: 'draft' | Exclude<RequestedState, 'ended'>;
  /** ISO 8601. Before its start a campaign is pending; at its end it ends by itself. */
  startAt?: string | undefined;
  endAt?: string | undefined;
}

export interface CampaignChange {
  campaignId: string;
  /** Follows the change; undefined for one that changes nothing outside. */
  operationId: string | undefined;
  /** For the caller to append to the outbox as the last statement of the transaction. */
  events: BuiltEvent[];
}

/**
 * Creates a campaign and, unless it is a draft, asks for its state: of an approver, of time, or of the networks at
 * once. Throws `platform.quota_reached`.
 */
export async function createCampaign(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  { state, ...campaign }: NewCampaign,
): Promise<CampaignChange> {
  const now = new Date(origin.nowMs);
  const [startAt, endAt] = [dateOf(campaign.startAt), dateOf(campaign.endAt)];
  checkSchedule(startAt, endAt, origin.nowMs);
  await requireRoom(trx, origin.merchantId, 'campaigns', () => countCampaigns(trx, origin.merchantId), origin.nowMs);
  const draft = await trx
    .insertInto('campaigns')
    .values({
      merchant_id: origin.merchantId,
      campaign_id: `cmp-${newId()}`,
      name: campaign.name,
      state: 'draft',
      ad_network_ids: [...new Set(campaign.adNetworkIds)],
      daily_budget_minor: campaign.dailyBudgetMinor,
      currency: campaign.currency,
      product_ids: [...campaign.productIds],
      created_at: now,
      updated_at: now,
      start_at: startAt,
      end_at: endAt,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  if (state === 'draft') return { campaignId: draft.campaign_id, operationId: undefined, events: [] };
  return await moveTo(trx, origin, { ...draft, version: 0 }, state);
}

/** Those that still are, or may be again, something to the networks. */
async function countCampaigns(trx: Transaction<Database>, merchantId: string): Promise<number> {
  const { count } = await trx
    .selectFrom('campaigns')
    .select((each) => each.fn.countAll<number>().as('count'))
    .where('merchant_id', '=', merchantId)
    .where('state', 'not in', ['ended', 'archived', 'rejected'])
    .executeTakeFirstOrThrow();
  return count;
}

/**
 * Asks for another state. Throws `campaigns.not_found`, or `campaigns.illegal_transition` with what is allowed. The row is
 * locked, so that two requests at once are numbered one after the other, and their commands carry times in that order too:
 * with the clocks of two gateways the later one could be taken for superseded.
 */
export async function requestCampaignState(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  request: { campaignId: string; state: RequestableState },
): Promise<CampaignChange> {
  const row = await lockCampaign(trx, origin.merchantId, request.campaignId);
  checkTransition(row.state, request.state);
  return await moveTo(trx, origin, row, request.state);
}

/**
 * Approves or rejects what waits for it. Throws `campaigns.approval_required` for whoever may not decide, and
 * `campaigns.illegal_transition` for a campaign that does not wait.
 */
export async function decideApproval(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  { campaignId, approve, reason }: { campaignId: string; approve: boolean; reason: string | undefined },
): Promise<CampaignChange> {
  if (origin.mayApprove !== true)
    throw new LanewayError('campaigns.approval_required', 'only owners and managers approve campaigns');
  const row = await lockCampaign(trx, origin.merchantId, campaignId);
  if (row.state !== 'awaiting_approval')
    throw new LanewayError('campaigns.illegal_transition', `a campaign that is ${row.state} waits for no approval`);
  const review = { reviewed_by: origin.userId ?? null, review_reason: reason ?? null };
  const told = tellDecision(origin, row, approve, reason);
  if (approve) {
    const change = await moveTo(trx, origin, row, row.requested_state ?? 'active', review);
    return { ...change, events: [...change.events, told] };
  }
  await update(trx, origin, row, { state: 'rejected', ...review });
  return { campaignId, operationId: undefined, events: [told] };
}

function tellDecision(origin: RequestOrigin, row: CampaignRow, approve: boolean, reason = ''): BuiltEvent {
  const by = origin.userId ?? 'Somebody';
  const timestamp = new Date(origin.nowMs).toISOString();
  const key = `${row.campaign_id}:${row.version}`;
  const emission = approve
    ? tellOwner('campaign-approved', key, { campaignName: row.name, approvedBy: by }, timestamp)
    : tellOwner('campaign-refused', key, { campaignName: row.name, refusedBy: by, reason }, timestamp);
  return buildEvent(origin.registry, {
    ...emission,
    eventId: newId(),
    merchantId: origin.merchantId,
    correlationId: origin.correlationId,
    traceparent: origin.traceparent,
    sourceService: 'CampaignManagementService',
    timestamp,
  });
}

export interface CampaignFieldsChange {
  campaignId: string;
  name?: string | undefined;
  dailyBudgetMinor?: number | undefined;
  productIds?: readonly string[] | undefined;
  startAt?: string | null | undefined;
  endAt?: string | null | undefined;
}

/**
 * Changes what a campaign is; its networks are told if they know it. Throws `campaigns.illegal_transition` for one that has
 * ended, and `campaigns.approval_required` where a larger budget of a running campaign needs an approver.
 */
export async function changeCampaign(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  { campaignId, ...wanted }: CampaignFieldsChange,
): Promise<CampaignChange> {
  const row = await lockCampaign(trx, origin.merchantId, campaignId);
  if (row.state === 'ended' || row.state === 'archived')
    throw new LanewayError('campaigns.illegal_transition', `a campaign that is ${row.state} cannot be changed`);
  const { state } = row;
  const raises = (wanted.dailyBudgetMinor ?? 0) > row.daily_budget_minor;
  const known = state === 'active' || state === 'paused';
  if (raises && (known || state === 'pending') && (await needsApproval(trx, origin)))
    throw new LanewayError('campaigns.approval_required', 'a larger budget needs an owner or a manager');
  const startAt = wanted.startAt === undefined ? row.start_at : dateOf(wanted.startAt ?? undefined);
  const endAt = wanted.endAt === undefined ? row.end_at : dateOf(wanted.endAt ?? undefined);
  checkSchedule(startAt, endAt, origin.nowMs);
  const changed = await update(trx, origin, row, {
    name: wanted.name ?? row.name,
    daily_budget_minor: wanted.dailyBudgetMinor ?? row.daily_budget_minor,
    product_ids: [...(wanted.productIds ?? row.product_ids)],
    start_at: startAt,
    end_at: endAt,
  });
  if (!known) return { campaignId, operationId: undefined, events: [] };
  return await command(trx, origin, changed, state);
}

/** Turns approval on or off for a merchant. What waits for it keeps waiting. Throws `campaigns.approval_required`. */
export async function requireApproval(
  trx: Transaction<Database>,
  { merchantId, nowMs, mayApprove }: RequestOrigin,
  required: boolean,
): Promise<void> {
  if (mayApprove !== true)
    throw new LanewayError(
      'campaigns.approval_required',
      'only owners and managers say whether campaigns need approval',
    );
  const settings = { approval_required: required, updated_at: new Date(nowMs) };
  await trx
    .insertInto('campaign_settings')
    .values({ merchant_id: merchantId, ...settings })
    .onConflict((conflict) => conflict.column('merchant_id').doUpdateSet(settings))
    .execute();
}

async function moveTo(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  row: CampaignRow,
  to: RequestableState,
  review: Updateable<CampaignsTables['campaigns']> = {},
): Promise<CampaignChange> {
  const known = isKnownToNetworks(row.state);
  const none = { campaignId: row.campaign_id, operationId: undefined, events: [] };
  if (to === 'archived' || (to === 'ended' && !known)) {
    await update(trx, origin, row, { state: to, ...review });
    return none;
  }
  const asks = to !== 'ended' && !known && row.state !== 'pending';
  if (asks && (await needsApproval(trx, origin))) {
    await update(trx, origin, row, { state: 'awaiting_approval', requested_state: to, ...review });
    return none;
  }
  if (to === 'active' && row.end_at !== null && row.end_at.getTime() <= origin.nowMs)
    throw new LanewayError('campaigns.illegal_transition', `its schedule ended at ${row.end_at.toISOString()}`);
  // A campaign that waits for its start and is activated again is to start now.
  const waits = to === 'active' && row.state !== 'pending' && isLater(row.start_at, origin.nowMs);
  if (waits && !known) {
    await update(trx, origin, row, { state: 'pending', requested_state: null, ...review });
    return none;
  }
  const changed = await update(trx, origin, row, { state: to, requested_state: null, ...review });
  return await command(trx, origin, changed, to);
}

/** Has the networks look at a locked campaign again, because of what lies under it. Ad sets and ads follow their campaign. */
export async function repeatCommand(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  row: CampaignRow,
): Promise<CampaignChange> {
  const { state } = row;
  if (state !== 'active' && state !== 'paused')
    return { campaignId: row.campaign_id, operationId: undefined, events: [] };
  return await command(trx, origin, await update(trx, origin, row, {}), state);
}

async function command(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  campaign: CampaignRow,
  state: RequestedState,
): Promise<CampaignChange> {
  const { operationIds, events } = await issueCommands(trx, origin, [{ campaign, state }]);
  return { campaignId: campaign.campaign_id, operationId: operationIds[0], events };
}

const needsApproval = async (trx: Transaction<Database>, origin: RequestOrigin): Promise<boolean> =>
  origin.mayApprove !== true && (await isApprovalRequired(trx, origin.merchantId));

/** Throws `campaigns.not_found`. */
export async function lockCampaign(
  trx: Transaction<Database>,
  merchantId: string,
  campaignId: string,
): Promise<CampaignRow> {
  const row = await trx
    .selectFrom('campaigns')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', '=', campaignId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new LanewayError('campaigns.not_found', `there is no campaign ${campaignId}`);
  return row;
}

/** Writes a locked campaign with its next number and a later time, and when its schedule has something to do. */
async function update(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  row: CampaignRow,
  changes: Updateable<CampaignsTables['campaigns']>,
): Promise<CampaignRow> {
  const created = row.version === 0;
  const nowMs = created ? origin.nowMs : Math.max(origin.nowMs, row.updated_at.getTime() + 1);
  const written = await trx
    .updateTable('campaigns')
    .set({ ...changes, version: row.version + 1, updated_at: new Date(nowMs) })
    .where('merchant_id', '=', row.merchant_id)
    .where('campaign_id', '=', row.campaign_id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await writeTurn(trx, written);
  return written;
}

/** When the schedule of a campaign is next to be looked at. */
export const nextTurn = ({ state, start_at: start, end_at: end }: CampaignRow): Date | null => {
  if (state === 'pending') return start;
  return state === 'active' || state === 'paused' ? end : null;
};

async function writeTurn(trx: Transaction<Database>, row: CampaignRow): Promise<void> {
  const key = { merchant_id: row.merchant_id, campaign_id: row.campaign_id };
  const due = nextTurn(row);
  if (due === null) {
    if (row.start_at === null && row.end_at === null) return;
    await trx
      .deleteFrom('campaign_turns')
      .where('merchant_id', '=', key.merchant_id)
      .where('campaign_id', '=', key.campaign_id)
      .execute();
    return;
  }
  await trx
    .insertInto('campaign_turns')
    .values({ ...key, due_at: due })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'campaign_id']).doUpdateSet({ due_at: due }))
    .execute();
}

const dateOf = (text: string | undefined): Date | null => (text === undefined ? null : new Date(text));
const isLater = (date: Date | null, nowMs: number): boolean => date !== null && date.getTime() > nowMs;

function checkSchedule(start: Date | null, end: Date | null, nowMs: number): void {
  if (end === null) return;
  if (end.getTime() <= Math.max(nowMs, start?.getTime() ?? 0))
    throw new LanewayError('campaigns.schedule_invalid', 'endAt must lie in the future and after startAt');
}
