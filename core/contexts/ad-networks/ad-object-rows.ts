import { type Transaction, sql } from 'kysely';
import type { DesiredAdObject } from './ad-object-effect.ts';
import type { AdObjectState } from './reads.ts';
import { readAdObjectStates, readNetworkStates } from './reads.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import { type AdObjectRow, readAdObjects } from '../campaigns/reads.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import type { LanewayError } from '../../runtime/errors.ts';

/**
 * Declares what of a campaign's ad sets and ads a network is to be told next: whatever is newer than what it was told of last,
 * and belongs to something that the network has. So an ad waits for its ad set, and an ad set for its campaign. Called
 * whenever the network has followed one of those.
 */
export async function followAdObjects(
  trx: Transaction<Database>,
  { merchantId, campaignId, network }: { merchantId: string; campaignId: string; network: AdNetworkId },
  context: Pick<EffectContext, 'intend'>,
): Promise<void> {
  const objects = await readAdObjects(trx, merchantId, campaignId);
  if (objects.length === 0) return;
  const ids = objects.map((object) => object.object_id);
  const states = new Map<string, AdObjectState>();
  for (const state of await readAdObjectStates(trx, merchantId, ids))
    if (state.adNetworkId === network) states.set(state.objectId, state);
  const [campaign] = (await readNetworkStates(trx, merchantId, [campaignId])).filter(
    ({ adNetworkId }) => adNetworkId === network,
  );
  const parentOf = ({ ad_set_id: adSetId }: AdObjectRow) =>
    (adSetId === null ? campaign?.externalId : states.get(adSetId)?.externalId) ?? undefined;

  const desired = objects.flatMap((object): DesiredAdObject[] => {
    const settings = object.settings[network];
    const parentId = parentOf(object);
    const state = states.get(object.object_id);
    if (settings === undefined || parentId === undefined) return [];
    if (object.version <= (state?.desiredVersion ?? 0)) return [];
    if (object.state === 'ended' && state?.status !== 'pending' && (state?.externalId ?? null) === null) return [];
    const { object_id: objectId, kind, version, name, state: wanted } = object;
    return [{ kind, objectId, campaignId, version, parentId, name, state: wanted, settings }];
  });
  if (desired.length === 0) return;
  await sql`
    insert into ad_object_network_states (merchant_id, object_id, ad_network_id, desired_version, status)
    select ${merchantId}, object_id, ${network}, version, 'pending'
    from unnest(${desired.map((each) => each.objectId)}::text[], ${desired.map((each) => each.version)}::bigint[])
      as t (object_id, version)
    order by object_id collate "C"
    on conflict (merchant_id, object_id, ad_network_id) do update set
      desired_version = excluded.desired_version, status = 'pending', error_code = null, error_message = null
  `.execute(trx);
  for (const each of desired) context.intend({ objectKey: objectKeyOf(each), desired: each });
}

const objectKeyOf = ({ kind, objectId }: DesiredAdObject): string => `${kind}:${objectId}`;

/** Notes what the network holds now; live only where that is what it was told of last. */
export async function recordAdObject(
  trx: Transaction<Database>,
  { merchantId }: EffectCall,
  { objectId, version }: DesiredAdObject,
  network: AdNetworkId,
  { externalId, actual }: EffectResult,
  nowMs: number,
): Promise<void> {
  await sql`
    update ad_object_network_states set external_id = ${externalId}, actual_state = ${String(actual['state'])},
      status = case when desired_version = ${version} then 'live' else status end,
      error_code = case when desired_version = ${version} then null else error_code end,
      error_message = case when desired_version = ${version} then null else error_message end,
      synced_at = ${new Date(nowMs)}::timestamptz
    where merchant_id = ${merchantId} and object_id = ${objectId} and ad_network_id = ${network}
  `.execute(trx);
}

export async function recordAdObjectFailure(
  trx: Transaction<Database>,
  { merchantId }: EffectCall,
  { objectId, version }: DesiredAdObject,
  network: AdNetworkId,
  error: LanewayError,
  nowMs: number,
): Promise<void> {
  await trx
    .updateTable('ad_object_network_states')
    .set({
      ...{ status: 'failed', error_code: error.code, error_message: error.message.slice(0, 500) },
      synced_at: new Date(nowMs),
    })
    .where('merchant_id', '=', merchantId)
    .where('object_id', '=', objectId)
    .where('ad_network_id', '=', network)
    .where('desired_version', '=', version)
    .execute();
}
