import { isDeepStrictEqual } from 'node:util';
import type { ExpressionBuilder, Transaction } from 'kysely';
import { adNetworkIds } from './events.ts';
import { type AdObjectRow, readAdObjects } from './reads.ts';
import type { AdObjectSettings } from './tables.ts';
import { type CampaignChange, type RequestOrigin, lockCampaign, repeatCommand } from './writes.ts';
import { type AdObjectState, readAdObjectStates } from '../ad-networks/reads.ts';
import type { Database } from '../../database/tables.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';

/** Ad sets and ads of a campaign that have not ended. */
export const MAX_AD_OBJECTS = 500;

export interface NewAdObject {
  campaignId: string;
  /** Of an ad; an ad set has none. */
  adSetId?: string | undefined;
  name: string;
  state: 'active' | 'paused';
  settings: AdObjectSettings;
}

export interface AdObjectChange extends Pick<CampaignChange, 'operationId' | 'events'> {
  objectId: string;
}

/**
 * Adds an ad set to a campaign, or an ad to one of its ad sets, on the networks that it has settings for. Throws
 * `campaigns.not_found`, `resource.not_found` for the ad set, `campaigns.illegal_transition` where the campaign or the ad set has
 * ended or is on none of these networks, and `campaigns.too_many_ads`.
 */
export async function createAdObject(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  { campaignId, adSetId, name, state, settings }: NewAdObject,
): Promise<AdObjectChange> {
  const campaign = await lockCampaign(trx, origin.merchantId, campaignId);
  if (campaign.state === 'ended' || campaign.state === 'archived')
    throw new LanewayError('campaigns.illegal_transition', `a campaign that is ${campaign.state} takes no ads`);
  const adSet =
    adSetId === undefined ? undefined : await readObject(trx, origin.merchantId, campaignId, adSetId, 'ad_set');
  if (adSet?.state === 'ended')
    throw new LanewayError('campaigns.illegal_transition', 'an ad set that has ended takes no ads');
  const possible: readonly string[] = adSet === undefined ? campaign.ad_network_ids : Object.keys(adSet.settings);
  const outside = Object.keys(settings).filter((network) => !possible.includes(network));
  if (outside.length > 0)
    throw new LanewayError('campaigns.illegal_transition', `what it belongs to is not on ${outside.join(', ')}`);
  const { open } = await trx
    .selectFrom('ad_objects')
    .select((select) => select.fn.countAll<number>().as('open'))
    .where('merchant_id', '=', origin.merchantId)
    .where('campaign_id', '=', campaignId)
    .where('state', '<>', 'ended')
    .executeTakeFirstOrThrow();
  if (open >= MAX_AD_OBJECTS)
    throw new LanewayError('campaigns.too_many_ads', `The campaign has ${MAX_AD_OBJECTS}; end some of them first.`);
  const kind = adSetId === undefined ? 'ad_set' : 'ad';
  const objectId = `${kind === 'ad' ? 'ad' : 'ads'}-${newId()}`;
  const now = new Date(origin.nowMs);
  await trx
    .insertInto('ad_objects')
    .values({
      merchant_id: origin.merchantId,
      object_id: objectId,
      campaign_id: campaignId,
      kind,
      ad_set_id: adSetId ?? null,
      name,
      state,
      settings: JSON.stringify(settings),
      created_at: now,
      updated_at: now,
    })
    .execute();
  const { operationId, events } = await repeatCommand(trx, origin, campaign);
  return { objectId, operationId, events };
}

export interface AdObjectWish {
  campaignId: string;
  objectId: string;
  kind: AdObjectRow['kind'];
  state?: AdObjectRow['state'] | undefined;
  name?: string | undefined;
  /** By network, what is to be otherwise; the rest stays as it is. */
  settings?: AdObjectSettings | undefined;
}

/**
 * Asks for another state, name or settings; what has ended stays as it is, and ads follow an ad set that ends. Throws
 * `campaigns.not_found`, `resource.not_found`, and `campaigns.illegal_transition`, also for a network that it is not on.
 */
export async function changeAdObject(
  trx: Transaction<Database>,
  origin: RequestOrigin,
  wanted: AdObjectWish,
): Promise<AdObjectChange> {
  const { campaignId, objectId, kind } = wanted;
  const campaign = await lockCampaign(trx, origin.merchantId, campaignId);
  const row = await readObject(trx, origin.merchantId, campaignId, objectId, kind);
  const { state = row.state, name = row.name } = wanted;
  const settings = mergeSettings(row.settings, wanted.settings ?? {});
  if (row.state === state && row.name === name && isDeepStrictEqual(row.settings, settings))
    return { objectId, operationId: undefined, events: [] };
  if (row.state === 'ended') throw new LanewayError('campaigns.illegal_transition', 'what has ended cannot be changed');
  const changed = (set: ExpressionBuilder<Database, 'ad_objects'>) => ({
    state,
    version: set('version', '+', 1),
    updated_at: new Date(origin.nowMs),
  });
  await trx
    .updateTable('ad_objects')
    .set((set) => ({ ...changed(set), name, settings: JSON.stringify(settings) }))
    .where('merchant_id', '=', origin.merchantId)
    .where('object_id', '=', objectId)
    .execute();
  if (state === 'ended')
    await trx
      .updateTable('ad_objects')
      .set(changed)
      .where('merchant_id', '=', origin.merchantId)
      .where('ad_set_id', '=', objectId)
      .where('campaign_id', '=', campaignId)
      .where('state', '<>', 'ended')
      .execute();
  const { operationId, events } = await repeatCommand(trx, origin, campaign);
  return { objectId, operationId, events };
}

function mergeSettings(held: AdObjectSettings, wanted: AdObjectSettings): AdObjectSettings {
  const merged = { ...held };
  for (const network of adNetworkIds) {
    const changes = wanted[network];
    if (changes === undefined) continue;
    if (held[network] === undefined)
      throw new LanewayError('campaigns.illegal_transition', `it was not made on ${network}`);
    merged[network] = { ...held[network], ...changes };
  }
  return merged;
}

async function readObject(
  trx: Transaction<Database>,
  merchantId: string,
  campaignId: string,
  objectId: string,
  kind: AdObjectRow['kind'],
): Promise<AdObjectRow> {
  const row = await trx
    .selectFrom('ad_objects')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('object_id', '=', objectId)
    .where('campaign_id', '=', campaignId)
    .where('kind', '=', kind)
    .executeTakeFirst();
  if (row === undefined) throw new LanewayError('resource.not_found', `The campaign has no such thing as ${objectId}.`);
  return row;
}

export interface AdObject {
  objectId: string;
  kind: AdObjectRow['kind'];
  adSetId: string | null;
  name: string;
  state: AdObjectRow['state'];
  settings: AdObjectSettings;
  networks: AdObjectState[];
}

/** Of a campaign, with their states on each network that was told of them; the oldest first. */
export async function listAdObjects(
  trx: Transaction<Database>,
  merchantId: string,
  campaignId: string,
): Promise<AdObject[]> {
  const rows = await readAdObjects(trx, merchantId, [campaignId]);
  const states = await readAdObjectStates(
    trx,
    merchantId,
    rows.map((row) => row.object_id),
  );
  const byObject = Map.groupBy(states, ({ objectId }) => objectId);
  return rows.map(({ object_id: objectId, kind, ad_set_id: adSetId, name, state, settings }) => ({
    ...{ objectId, kind, adSetId, name, state, settings },
    networks: byObject.get(objectId) ?? [],
  }));
}
