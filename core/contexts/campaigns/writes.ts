import type { Transaction } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type BuiltEvent, buildEvent } from '../../events/build.ts';
import type { Registry } from '../../events/registry.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';
import type { AdNetworkId, CampaignParameters } from './events.ts';
import { type RequestedState, checkTransition } from './state-machine.ts';

/** What a request brings along beside its body. */
export interface RequestOrigin {
  registry: Registry;
  merchantId: string;
  correlationId: string;
  traceparent: string;
  userId?: string;
  nowMs: number;
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
}

export interface CampaignChange {
  campaignId: string;
  /** Follows the change; undefined for a draft, which changes nothing outside. */
  operationId: string | undefined;
  /** For the caller to append to the outbox as the last statement of the transaction. */
  events: BuiltEvent[];
}

/** Creates a campaign and, unless it is a draft, requests its state of the networks. */
export async function createCampaign(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  campaign: NewCampaign,
): Promise<CampaignChange> {
  const campaignId = `cmp-${newId()}`;
  const now = new Date(origin.nowMs);
  await trx
    .insertInto('campaigns')
    .values({
      merchant_id: origin.merchantId,
      campaign_id: campaignId,
      name: campaign.name,
      state: campaign.state,
      ad_network_ids: [...new Set(campaign.adNetworkIds)],
      daily_budget_minor: campaign.dailyBudgetMinor,
      currency: campaign.currency,
      product_ids: [...campaign.productIds],
      created_at: now,
      updated_at: now,
    })
    .execute();
  const { state, ...rest } = campaign;
  if (state === 'draft') return { campaignId, operationId: undefined, events: [] };
  return await requestSync(trx, origin, { ...rest, campaignId, version: 1, state, productIds: [...rest.productIds] });
}

/**
 * Asks for another state. Throws `campaigns.not_found`, or `campaigns.illegal_transition` with what is allowed. The row is
 * locked, so that two requests at once are numbered one after the other, and their commands carry times in that order too:
 * with the clocks of two gateways the later one could be taken for superseded.
 */
export async function requestCampaignState(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  request: { campaignId: string; state: RequestedState },
): Promise<CampaignChange> {
  const row = await trx
    .selectFrom('campaigns')
    .selectAll()
    .where('merchant_id', '=', origin.merchantId)
    .where('campaign_id', '=', request.campaignId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new LanewayError('campaigns.not_found', `there is no campaign ${request.campaignId}`);
  checkTransition(row.state, request.state);
  const version = row.version + 1;
  const nowMs = Math.max(origin.nowMs, row.updated_at.getTime() + 1);
  await trx
    .updateTable('campaigns')
    .set({ state: request.state, version, updated_at: new Date(nowMs) })
    .where('merchant_id', '=', origin.merchantId)
    .where('campaign_id', '=', request.campaignId)
    .execute();
  return await requestSync(
    trx,
    { ...origin, nowMs },
    {
      campaignId: request.campaignId,
      version,
      state: request.state,
      name: row.name,
      adNetworkIds: row.ad_network_ids,
      dailyBudgetMinor: row.daily_budget_minor,
      currency: row.currency,
      productIds: row.product_ids,
    },
  );
}

async function requestSync(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  wish: CampaignParameters & {
    campaignId: string;
    version: number;
    state: RequestedState;
    adNetworkIds: readonly string[];
  },
): Promise<CampaignChange> {
  const operationId = newId();
  const timestamp = new Date(origin.nowMs).toISOString();
  await trx
    .insertInto('operations')
    .values({
      merchant_id: origin.merchantId,
      operation_id: operationId,
      campaign_id: wish.campaignId,
      version: wish.version,
      requested_state: wish.state,
      created_at: new Date(origin.nowMs),
    })
    .execute();
  const event = buildEvent(origin.registry, {
    eventId: operationId,
    eventType: 'CampaignStateChangeRequestedEvent',
    merchantId: origin.merchantId,
    correlationId: origin.correlationId,
    traceparent: origin.traceparent,
    timestamp,
    ...(origin.userId === undefined ? {} : { authentication: { userId: origin.userId } }),
    payload: {
      campaignId: wish.campaignId,
      merchantId: origin.merchantId,
      requestedState: wish.state,
      adNetworkIds: wish.adNetworkIds,
      timestamp,
      campaignParametersForSync: {
        name: wish.name,
        dailyBudgetMinor: wish.dailyBudgetMinor,
        currency: wish.currency,
        productIds: wish.productIds,
      },
    },
  });
  return { campaignId: wish.campaignId, operationId, events: [event] };
}
