import { type Transaction, sql } from 'kysely';
import type { DesiredAdObject } from './ad-object-effect.ts';
import { isDeepStrictEqual } from 'node:util';
import { type AdObjectDifferences, type AdObjectKey, type KnownListing, objectKeyOf } from './compare-ad-objects.ts';
import { type AdObjectState, type HeldContent, readAdObjectStates, readNetworkStates } from './reads.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import { type AdObjectRow, readAdObjects } from '../campaigns/reads.ts';
import { forgetExternalIds } from '../../database/intents.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import type { LanewayError } from '../../runtime/errors.ts';

/**
 * Declares what of campaigns' ad sets and ads a network is to be told next: whatever is newer than what it was told of last,
 * and belongs to something that the network has. So an ad waits for its ad set, and an ad set for its campaign. Called
 * whenever the network has followed one of those.
 */
export async function followAdObjects(
  trx: Transaction<Database>,
  { merchantId, campaignIds, network }: { merchantId: string; campaignIds: readonly string[]; network: AdNetworkId },
  context: Pick<EffectContext, 'intend'>,
): Promise<void> {
  const objects = await readAdObjects(trx, merchantId, campaignIds);
  if (objects.length === 0) return;
  const ids = objects.map((object) => object.object_id);
  const states = new Map<string, AdObjectState>();
  for (const state of await readAdObjectStates(trx, merchantId, ids))
    if (state.adNetworkId === network) states.set(state.objectId, state);
  const campaigns = new Map<string, string | null>();
  for (const { campaignId, adNetworkId, externalId } of await readNetworkStates(trx, merchantId, campaignIds))
    if (adNetworkId === network) campaigns.set(campaignId, externalId);
  const parentOf = ({ ad_set_id: adSetId, campaign_id: campaignId }: AdObjectRow) =>
    (adSetId === null ? campaigns.get(campaignId) : states.get(adSetId)?.externalId) ?? undefined;

  const desired = objects.flatMap((object): DesiredAdObject[] => {
    const settings = object.settings[network];
    const parentId = parentOf(object);
    const state = states.get(object.object_id);
    if (settings === undefined || parentId === undefined) return [];
    if (object.version <= (state?.desiredVersion ?? 0)) return [];
    if (object.state === 'ended' && state?.status !== 'pending' && (state?.externalId ?? null) === null) return [];
    const { object_id: objectId, campaign_id: campaignId, kind, version, name, state: wanted } = object;
    const changed = changedOf(state, { name, settings });
    return [
      {
        ...{ kind, objectId, campaignId, version, parentId, name, state: wanted, settings },
        ...(changed === undefined ? {} : { changed }),
      },
    ];
  });
  if (desired.length === 0) return;
  await sql`
    insert into ad_object_network_states (merchant_id, object_id, ad_network_id, desired_version, status, held)
    select ${merchantId}, object_id, ${network}, version, 'pending', held
    from unnest(${desired.map((each) => each.objectId)}::text[], ${desired.map((each) => each.version)}::bigint[],
      ${desired.map((each) => JSON.stringify(contentOf(each)))}::jsonb[]) as t (object_id, version, held)
    order by object_id collate "C"
    on conflict (merchant_id, object_id, ad_network_id) do update set
      desired_version = excluded.desired_version, status = 'pending', error_code = null, error_message = null,
      held = coalesce(ad_object_network_states.held, excluded.held)
  `.execute(trx);
  for (const each of desired) context.intend({ objectKey: objectKeyOf(each), desired: each });
}

const contentOf = ({ name, settings }: HeldContent): HeldContent => ({ name, settings });

/**
 * What of the settings the network does not have so; undefined where that is nothing and the name is right too. What it is
 * made with counts as held from when that is asked for, so that a change which overtakes its making is a change.
 */
function changedOf(
  state: AdObjectState | undefined,
  { name, settings }: HeldContent,
): HeldContent['settings'] | undefined {
  if (state === undefined || (state.held === null && state.externalId === null)) return undefined;
  const { held } = state;
  if (held === null) return settings;
  const changed = Object.entries(settings).filter(([key, value]) => !isDeepStrictEqual(held.settings[key], value));
  return changed.length === 0 && held.name === name ? undefined : Object.fromEntries(changed);
}

/** Notes what the network holds now; live only where that is what it was told of last. */
export async function recordAdObject(
  trx: Transaction<Database>,
  { merchantId }: EffectCall,
  { objectId, version, name, settings }: DesiredAdObject,
  network: AdNetworkId,
  { externalId, actual }: EffectResult,
  nowMs: number,
): Promise<void> {
  await sql`
    update ad_object_network_states set external_id = ${externalId}, actual_state = ${String(actual['state'])},
      held = ${JSON.stringify({ name, settings })}::jsonb,
      status = case when desired_version = ${version} then 'live' else status end,
      error_code = case when desired_version = ${version} then null else error_code end,
      error_message = case when desired_version = ${version} then null else error_message end,
      synced_at = ${new Date(nowMs)}::timestamptz
    where merchant_id = ${merchantId} and object_id = ${objectId} and ad_network_id = ${network}
  `.execute(trx);
}

/** Resolves with its campaign's name when the failure is that of what is desired now. */
export async function recordAdObjectFailure(
  trx: Transaction<Database>,
  { merchantId }: EffectCall,
  { objectId, campaignId, version }: DesiredAdObject,
  network: AdNetworkId,
  error: LanewayError,
  nowMs: number,
): Promise<string | undefined> {
  const { rows } = await sql<{ campaignName: string }>`
    with failed as (
      update ad_object_network_states set status = 'failed', error_code = ${error.code},
        error_message = ${error.message.slice(0, 500)}, synced_at = ${new Date(nowMs)}::timestamptz
      where merchant_id = ${merchantId} and object_id = ${objectId} and ad_network_id = ${network}
        and desired_version = ${version}
      returning merchant_id, ad_network_id
    )
    select coalesce(c.desired->>'name', ${campaignId}) as "campaignName"
    from failed left join campaign_network_states c on c.merchant_id = failed.merchant_id
      and c.ad_network_id = failed.ad_network_id and c.campaign_id = ${campaignId}
  `.execute(trx);
  return rows[0]?.campaignName;
}

/** What a network has lost is made there again: nothing of it counts as told any more. */
export async function forgetAdObjects(
  trx: Transaction<Database>,
  { merchantId, destination, network }: { merchantId: string; destination: string; network: AdNetworkId },
  missing: readonly AdObjectKey[],
  nowMs: number,
): Promise<void> {
  if (missing.length === 0) return;
  await trx
    .updateTable('ad_object_network_states')
    .set({ status: 'pending', desired_version: 0, external_id: null, actual_state: null, held: null, shown: null })
    .where('merchant_id', '=', merchantId)
    .where('ad_network_id', '=', network)
    .where(
      'object_id',
      'in',
      missing.map(({ objectId }) => objectId),
    )
    .execute();
  const keys = missing.map((key) => ({ merchantId, destination, objectKey: objectKeyOf(key) }));
  await forgetExternalIds(trx, keys, nowMs);
}

/** What is called otherwise at a network is told of anew, as if it had no name there. */
export async function noteRenamed(
  trx: Transaction<Database>,
  { merchantId, network }: { merchantId: string; network: AdNetworkId },
  renamed: readonly AdObjectKey[],
): Promise<void> {
  await sql`
    update ad_object_network_states set desired_version = 0, held = jsonb_set(held, '{name}', '""')
    where merchant_id = ${merchantId} and ad_network_id = ${network} and held is not null
      and object_id = any(${renamed.map(({ objectId }) => objectId)}::text[])
  `.execute(trx);
}

/** What is set otherwise at a network is told of anew, as if it were not set there. */
export async function noteAltered(
  trx: Transaction<Database>,
  { merchantId, network }: { merchantId: string; network: AdNetworkId },
  altered: AdObjectDifferences['altered'],
): Promise<void> {
  if (altered.length === 0) return;
  await sql`
    update ad_object_network_states s set desired_version = 0,
      held = jsonb_set(held, '{settings}', (held -> 'settings') - array(select jsonb_array_elements_text(a.settings)))
    from unnest(${altered.map(({ objectId }) => objectId)}::text[],
      ${altered.map(({ settings }) => JSON.stringify(settings))}::jsonb[]) as a (object_id, settings)
    where s.merchant_id = ${merchantId} and s.ad_network_id = ${network} and s.object_id = a.object_id
      and s.held is not null
  `.execute(trx);
}

/** What a network shows otherwise than it was told, so that it is told of it only once. */
export async function noteShown(
  trx: Transaction<Database>,
  { merchantId, network }: { merchantId: string; network: AdNetworkId },
  shown: AdObjectDifferences['shown'],
): Promise<void> {
  if (shown.length === 0) return;
  await sql`
    update ad_object_network_states s set shown = nullif(n.shown, '{}'::jsonb)
    from unnest(${shown.map(({ objectId }) => objectId)}::text[],
      ${shown.map((each) => JSON.stringify(each.shown))}::jsonb[]) as n (object_id, shown)
    where s.merchant_id = ${merchantId} and s.ad_network_id = ${network} and s.object_id = n.object_id
  `.execute(trx);
}

/** Writes what is there now and forgets what is not any more. */
export async function replaceOutsideAdObjects(
  trx: Transaction<Database>,
  { merchantId, network }: { merchantId: string; network: AdNetworkId },
  outside: readonly KnownListing[],
  nowMs: number,
): Promise<void> {
  const column = <T>(pick: (each: KnownListing) => T): T[] => outside.map(pick);
  const now = sql`${new Date(nowMs)}::timestamptz`;
  await sql`
    insert into outside_ad_objects (merchant_id, ad_network_id, kind, external_id, parent_external_id, name, state,
      first_seen_at, last_seen_at)
    select ${merchantId}, ${network}, kind, external_id, parent, name, state, ${now}, ${now}
    from unnest(${column((c) => c.kind)}::text[], ${column((c) => c.externalId)}::text[],
      ${column((c) => c.parentId)}::text[], ${column((c) => c.name ?? null)}::text[], ${column((c) => c.state)}::text[])
      as t (kind, external_id, parent, name, state)
    order by kind collate "C", external_id collate "C"
    on conflict (merchant_id, ad_network_id, kind, external_id) do update set
      parent_external_id = excluded.parent_external_id, name = excluded.name, state = excluded.state,
      last_seen_at = excluded.last_seen_at
  `.execute(trx);
  await sql`
    delete from outside_ad_objects
    where merchant_id = ${merchantId} and ad_network_id = ${network} and last_seen_at < ${now}
  `.execute(trx);
}
