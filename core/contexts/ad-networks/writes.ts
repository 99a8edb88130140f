import { type Transaction, sql } from 'kysely';
import type { Differences } from './compare.ts';
import type { AdObjectDifferences } from './compare-ad-objects.ts';
import type { NetworkCampaign } from './network.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectCall, EffectResult } from '../../events/destination.ts';
import type { LanewayError } from '../../runtime/errors.ts';

/**
 * Notes what the network holds now. The state becomes `live` only if this call carried what is desired: a call that was
 * overtaken by a newer command tells the truth about the network and nothing about that command. Resolves with the state that
 * the network held before, when the call did carry it.
 */
export async function recordLive(
  trx: Transaction<Database>,
  call: EffectCall,
  network: string,
  result: EffectResult,
  nowMs: number,
): Promise<{ stateBefore: string | null } | undefined> {
  const isCurrent = sql`s.desired_event_id = ${call.eventId}`;
  const { rows } = await sql<{ stateBefore: string | null; isCurrent: boolean }>`
    with before as (
      select actual_state from campaign_network_states
      where merchant_id = ${call.merchantId} and campaign_id = ${call.objectKey} and ad_network_id = ${network}
      for update
    )
    update campaign_network_states s set
      external_id = ${result.externalId},
      actual_state = ${String(result.actual['state'])},
      synced_at = ${new Date(nowMs)}::timestamptz,
      status = case when ${isCurrent} then 'live' else s.status end,
      error_code = case when ${isCurrent} then null else s.error_code end,
      error_message = case when ${isCurrent} then null else s.error_message end
    from before
    where merchant_id = ${call.merchantId} and campaign_id = ${call.objectKey} and ad_network_id = ${network}
    returning before.actual_state as "stateBefore", ${isCurrent} as "isCurrent"
  `.execute(trx);
  const [row] = rows;
  return row?.isCurrent === true ? { stateBefore: row.stateBefore } : undefined;
}

/** Resolves with the campaign's name when the failure is that of what is desired now. */
export async function recordNetworkFailure(
  trx: Transaction<Database>,
  call: EffectCall,
  network: string,
  error: LanewayError,
  nowMs: number,
): Promise<string | undefined> {
  const row = await trx
    .updateTable('campaign_network_states')
    .set({
      status: 'failed',
      error_code: error.code,
      error_message: error.message.slice(0, 500),
      synced_at: new Date(nowMs),
    })
    .where('merchant_id', '=', call.merchantId)
    .where('campaign_id', '=', call.objectKey)
    .where('ad_network_id', '=', network)
    .where('desired_event_id', '=', call.eventId)
    .returning('desired')
    .executeTakeFirst();
  return row?.desired.name;
}

/** Campaigns that somebody ended at the network: what is desired cannot be made true there any more. */
export async function markEndedOutside(
  trx: Transaction<Database>,
  merchantId: string,
  network: string,
  campaignIds: readonly string[],
): Promise<void> {
  if (campaignIds.length === 0) return;
  await trx
    .updateTable('campaign_network_states')
    .set({
      status: 'failed',
      actual_state: 'ended',
      error_code: 'ad_networks.ended_outside',
      error_message: 'the campaign was ended or deleted at the network; create a new one to go on',
    })
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where('campaign_id', 'in', campaignIds)
    .execute();
}

/** Writes what is there now and forgets what is not any more. */
export async function replaceOutsideCampaigns(
  trx: Transaction<Database>,
  { merchantId, network, currency }: { merchantId: string; network: string; currency: string },
  outside: readonly NetworkCampaign[],
  nowMs: number,
): Promise<void> {
  const column = <T>(pick: (campaign: NetworkCampaign) => T): T[] => outside.map(pick);
  const now = sql`${new Date(nowMs)}::timestamptz`;
  await sql`
    insert into outside_campaigns (merchant_id, ad_network_id, external_id, name, state, daily_budget_minor, currency,
      first_seen_at, last_seen_at)
    select ${merchantId}, ${network}, external_id, name, state, minor, ${currency}, ${now}, ${now}
    from unnest(${column((c) => c.externalId)}::text[], ${column((c) => c.name)}::text[],
      ${column((c) => c.state)}::text[], ${column((c) => c.dailyBudgetMinor ?? null)}::bigint[])
      as t (external_id, name, state, minor)
    order by external_id collate "C"
    on conflict (merchant_id, ad_network_id, external_id) do update set
      name = excluded.name, state = excluded.state, daily_budget_minor = excluded.daily_budget_minor,
      last_seen_at = excluded.last_seen_at
  `.execute(trx);
  await sql`
    delete from outside_campaigns
    where merchant_id = ${merchantId} and ad_network_id = ${network} and last_seen_at < ${now}
  `.execute(trx);
}

/** @param compared how many of each there were */
export async function recordReconciliation(
  trx: Transaction<Database>,
  { merchantId, network }: { merchantId: string; network: string },
  compared: { campaigns: number; adObjects: number },
  { drifted, twins, endedOutside, outside, objects }: Differences & { objects: AdObjectDifferences },
  nowMs: number,
): Promise<void> {
  const found = {
    reconciled_at: new Date(nowMs),
    campaigns: compared.campaigns,
    drifted: drifted.length,
    twins: twins.length,
    ended_outside: endedOutside.length,
    outside: outside.length,
    ad_objects: compared.adObjects,
    ad_objects_drifted: objects.drifted.length + objects.renamed.length + objects.altered.length,
    ad_objects_missing: objects.missing.length,
    ad_objects_twins: objects.twins.length,
    ad_objects_outside: objects.outside.length,
  };
  await trx
    .insertInto('reconciliations')
    .values({ merchant_id: merchantId, ad_network_id: network, ...found })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'ad_network_id']).doUpdateSet(found))
    .execute();
}

/** Connects a merchant's account at a network, or another one in its place. */
export async function connectAdAccount(
  trx: Transaction<Database>,
  { merchantId, network, accountId }: { merchantId: string; network: string; accountId: string },
  nowMs: number,
): Promise<void> {
  const connected = { account_id: accountId, connected_at: new Date(nowMs) };
  await trx
    .insertInto('ad_accounts')
    .values({ merchant_id: merchantId, ad_network_id: network, ...connected })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'ad_network_id']).doUpdateSet(connected))
    .execute();
}
