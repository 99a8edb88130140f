import { type Selectable, type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type NetworkState, readNetworkStates } from '../ad-networks/reads.ts';
import type { CampaignState, CampaignsTables } from './tables.ts';

export interface Campaign {
  campaignId: string;
  name: string;
  state: CampaignState;
  adNetworkIds: string[];
  dailyBudgetMinor: number;
  currency: string;
  productIds: string[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
  startAt: Date | null;
  endAt: Date | null;
  requestedState: string | null;
  reviewReason: string | null;
  /** One entry for each network that a command has reached. */
  networks: NetworkState[];
}

const campaignColumns = [
  'campaign_id as campaignId',
  'name',
  'state',
  'ad_network_ids as adNetworkIds',
  'daily_budget_minor as dailyBudgetMinor',
  'currency',
  'product_ids as productIds',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
  'start_at as startAt',
  'end_at as endAt',
  'requested_state as requestedState',
  'review_reason as reviewReason',
] as const;

/** A page of a merchant's campaigns by id; `next` is the `after` of the following page, undefined on the last. */
export async function listCampaigns(
  trx: Transaction<Database>,
  merchantId: string,
  { after = '', limit }: { after?: string; limit: number },
): Promise<{ items: Campaign[]; next: string | undefined }> {
  const rows = await trx
    .selectFrom('campaigns')
    .select(campaignColumns)
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', '>', after)
    .orderBy('campaign_id')
    .limit(limit + 1)
    .execute();
  const page = rows.slice(0, limit);
  const states = await readNetworkStates(
    trx,
    merchantId,
    page.map((row) => row.campaignId),
  );
  const byCampaign = Map.groupBy(states, (state) => state.campaignId);
  const items = page.map((row) => ({ ...row, networks: byCampaign.get(row.campaignId) ?? [] }));
  return { items, next: rows.length > limit ? page.at(-1)?.campaignId : undefined };
}

export async function getCampaign(
  trx: Transaction<Database>,
  merchantId: string,
  campaignId: string,
): Promise<Campaign | undefined> {
  const row = await trx
    .selectFrom('campaigns')
    .select(campaignColumns)
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', '=', campaignId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { ...row, networks: await readNetworkStates(trx, merchantId, [campaignId]) };
}

export interface Operation {
  operationId: string;
  campaignId: string;
  requestedState: string;
  /**
   * succeeded: every network holds it. failed: a network gave it up, or the command itself died. superseded: a later
   * request took its place, on one network at least, so that nothing more will come of it. pending: none of these yet.
   */
  status: 'pending' | 'succeeded' | 'failed' | 'superseded';
  createdAt: Date;
  networks: NetworkState[];
}

export async function getOperation(
  trx: Transaction<Database>,
  merchantId: string,
  operationId: string,
): Promise<Operation | undefined> {
  const row = await trx
    .selectFrom('operations')
    .innerJoin('campaigns', (join) =>
      join
        .onRef('campaigns.merchant_id', '=', 'operations.merchant_id')
        .onRef('campaigns.campaign_id', '=', 'operations.campaign_id'),
    )
    .select([
      'operations.operation_id as operationId',
      'operations.campaign_id as campaignId',
      'operations.requested_state as requestedState',
      'operations.created_at as createdAt',
      'operations.version as version',
      'campaigns.version as currentVersion',
      'campaigns.ad_network_ids as adNetworkIds',
    ])
    .where('operations.merchant_id', '=', merchantId)
    .where('operations.operation_id', '=', operationId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const all = await readNetworkStates(trx, merchantId, [row.campaignId]);
  const networks = all.filter((state) => state.desiredEventId === operationId);
  const { version, currentVersion, adNetworkIds, ...operation } = row;
  return { ...operation, networks, status: await statusOf() };

  async function statusOf(): Promise<Operation['status']> {
    if (networks.some((state) => state.status === 'failed')) return 'failed';
    if (networks.length === adNetworkIds.length && networks.every((state) => state.status === 'live'))
      return 'succeeded';
    const command = await readSettledOutcome(trx, merchantId, operationId);
    if (command === 'dead') return 'failed';
    if (command === 'skip') return 'superseded';
    return version < currentVersion && networks.length < adNetworkIds.length ? 'superseded' : 'pending';
  }
}

/** How the command's handler ended; undefined while it has not. */
async function readSettledOutcome(
  trx: Transaction<Database>,
  merchantId: string,
  eventId: string,
): Promise<'done' | 'skip' | 'dead' | undefined> {
  const row = await trx
    .selectFrom('accepted')
    .innerJoin('settlements', (join) =>
      join
        .onRef('settlements.merchant_id', '=', 'accepted.merchant_id')
        .onRef('settlements.day', '=', 'accepted.day')
        .onRef('settlements.mseq', '=', 'accepted.mseq'),
    )
    .select('settlements.outcome')
    .where('accepted.merchant_id', '=', merchantId)
    .where('accepted.event_id', '=', eventId)
    .limit(1)
    .executeTakeFirst();
  return row?.outcome;
}

/** Whether campaigns of the merchant need an owner or a manager to go live. */
export async function isApprovalRequired(trx: Transaction<Database>, merchantId: string): Promise<boolean> {
  const row = await trx
    .selectFrom('campaign_settings')
    .select('approval_required')
    .where('merchant_id', '=', merchantId)
    .executeTakeFirst();
  return row?.approval_required ?? false;
}

export type AdObjectRow = Selectable<CampaignsTables['ad_objects']>;

/** Ad sets and ads of campaigns, of each the latest 2,000 of those that ever were; the oldest first. */
export async function readAdObjects(
  trx: Transaction<Database>,
  merchantId: string,
  campaignIds: readonly string[],
): Promise<AdObjectRow[]> {
  const { rows } = await sql<AdObjectRow>`
    select latest.* from unnest(${campaignIds}::text[]) as of (campaign_id) cross join lateral (
      select * from ad_objects o where o.merchant_id = ${merchantId} and o.campaign_id = of.campaign_id
      order by o.created_at desc, o.object_id desc limit 2000
    ) latest
    order by latest.created_at, latest.object_id
  `.execute(trx);
  return rows;
}
