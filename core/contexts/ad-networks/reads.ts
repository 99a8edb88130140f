import { type Kysely, type Transaction, sql } from 'kysely';
import type { HeldCampaign } from './compare.ts';
import type { CampaignState } from './network.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import type { Database } from '../../database/tables.ts';

export interface NetworkState {
  campaignId: string;
  adNetworkId: string;
  desiredState: string;
  desiredEventId: string;
  desiredAt: Date;
  /** live: the network holds what is desired. failed: it was given up, with the error. */
  status: 'pending' | 'live' | 'failed';
  actualState: string | null;
  externalId: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  syncedAt: Date | null;
}

/** The networks' states of several campaigns of a merchant, by campaign and network. */
export async function readNetworkStates(
  trx: Transaction<Database>,
  merchantId: string,
  campaignIds: readonly string[],
): Promise<NetworkState[]> {
  if (campaignIds.length === 0) return [];
  return await trx
    .selectFrom('campaign_network_states')
    .select([
      'campaign_id as campaignId',
      'ad_network_id as adNetworkId',
      'desired_state as desiredState',
      'desired_event_id as desiredEventId',
      'desired_at as desiredAt',
      'status',
      'actual_state as actualState',
      'external_id as externalId',
      'error_code as errorCode',
      'error_message as errorMessage',
      'synced_at as syncedAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('campaign_id', 'in', campaignIds)
    .orderBy('campaign_id')
    .orderBy('ad_network_id')
    .execute();
}

/** What is held about every campaign of a merchant at a network. */
export async function readHeldCampaigns(
  trx: Transaction<Database>,
  merchantId: string,
  network: string,
): Promise<HeldCampaign[]> {
  const rows = await trx
    .selectFrom('campaign_network_states')
    .select(['campaign_id', 'external_id', 'status', 'desired_state', 'desired', 'synced_at'])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .orderBy('campaign_id')
    .execute();
  return rows.map((row) => ({
    campaignId: row.campaign_id,
    externalId: row.external_id,
    status: row.status,
    // Written by the handler from a closed set.
    desiredState: row.desired_state as CampaignState,
    name: row.desired.name,
    dailyBudgetMinor: row.desired.dailyBudgetMinor,
    syncedAtMs: row.synced_at?.getTime(),
  }));
}

/** The merchant's account at a network, as it was connected. */
export async function readAdAccountId(
  db: Kysely<Database>,
  merchantId: string,
  network: AdNetworkId,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('ad_accounts')
    .select('account_id')
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .executeTakeFirst();
  return row?.account_id;
}

export interface OutsideCampaign {
  externalId: string;
  name: string;
  state: string;
  dailyBudgetMinor: number | null;
  currency: string;
  firstSeenAt: Date;
}

/** A page of the campaigns at a network that were not made through us, by the network's id. */
export async function listOutsideCampaigns(
  trx: Transaction<Database>,
  merchantId: string,
  network: AdNetworkId,
  { after = '', limit }: { after?: string; limit: number },
): Promise<{ items: OutsideCampaign[]; next: string | undefined }> {
  const rows = await trx
    .selectFrom('outside_campaigns')
    .select([
      'external_id as externalId',
      'name',
      'state',
      'daily_budget_minor as dailyBudgetMinor',
      'currency',
      'first_seen_at as firstSeenAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('external_id', '>', after)
    .orderBy('external_id')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? items.at(-1)?.externalId : undefined };
}

export interface AudienceNetworkState {
  segmentId: string;
  adNetworkId: string;
  status: 'pending' | 'live' | 'failed' | 'deleted';
  syncedSeq: number;
  errorCode: string | null;
  errorMessage: string | null;
}

/** How far the networks have followed segments of a merchant. */
export async function readAudienceStates(
  trx: Transaction<Database>,
  merchantId: string,
  segmentIds: readonly string[],
): Promise<AudienceNetworkState[]> {
  if (segmentIds.length === 0) return [];
  return await trx
    .selectFrom('audience_network_states')
    .select([
      'segment_id as segmentId',
      'ad_network_id as adNetworkId',
      'status',
      'synced_seq as syncedSeq',
      'error_code as errorCode',
      'error_message as errorMessage',
    ])
    .where('merchant_id', '=', merchantId)
    .where('segment_id', 'in', segmentIds)
    .orderBy('segment_id')
    .orderBy('ad_network_id')
    .execute();
}

export interface FollowedSegment {
  merchantId: string;
  segmentId: string;
  /** Every network of the segment has its changes up to here. */
  seq: number;
  /** The segment is gone from every network. */
  gone: boolean;
}

/** How far all networks together have followed the segments of merchants. */
export async function readFollowedSegments(
  trx: Transaction<Database>,
  merchantIds: readonly string[],
): Promise<FollowedSegment[]> {
  const { rows } = await sql<FollowedSegment>`
    select merchant_id as "merchantId", segment_id as "segmentId", min(synced_seq) as seq,
      bool_and(status = 'deleted') as gone
    from audience_network_states where merchant_id = any(${merchantIds}::text[])
    group by merchant_id, segment_id
  `.execute(trx);
  return rows;
}

/** Name, without our tag, and settings. */
export interface HeldContent {
  name: string;
  settings: Record<string, unknown>;
}

export interface AdObjectState {
  objectId: string;
  adNetworkId: string;
  status: 'pending' | 'live' | 'failed';
  /** The version that the network was last told of. */
  desiredVersion: number;
  actualState: string | null;
  /** As far as is known, what the network holds, or is being made with. */
  held: HeldContent | null;
  externalId: string | null;
  errorCode: string | null;
  errorMessage: string | null;
}

/** How far the networks have followed ad sets and ads of a merchant. */
export async function readAdObjectStates(
  trx: Transaction<Database>,
  merchantId: string,
  objectIds: readonly string[],
): Promise<AdObjectState[]> {
  if (objectIds.length === 0) return [];
  const { rows } = await sql<AdObjectState>`
    select object_id as "objectId", ad_network_id as "adNetworkId", status, desired_version as "desiredVersion",
      actual_state as "actualState", held, external_id as "externalId", error_code as "errorCode",
      error_message as "errorMessage"
    from ad_object_network_states where merchant_id = ${merchantId} and object_id = any(${objectIds}::text[])
    order by object_id, ad_network_id
  `.execute(trx);
  return rows;
}
