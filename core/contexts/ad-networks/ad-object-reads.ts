import { type Kysely, type Transaction, sql } from 'kysely';
import type { HeldAdObject } from './compare-ad-objects.ts';
import type { ShownSettings } from './compare-settings.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import type { Database } from '../../database/tables.ts';

/**
 * What is held about ad sets and ads that a network is to have in these campaigns: all that have not ended, and of the others
 * those that the network lists all the same.
 */
export async function readHeldAdObjects(
  trx: Transaction<Database>,
  { merchantId, network }: { merchantId: string; network: AdNetworkId },
  campaignIds: readonly string[],
  listedIds: readonly string[],
): Promise<HeldAdObject[]> {
  if (campaignIds.length === 0) return [];
  const { rows } = await sql<
    Omit<HeldAdObject, 'changedAtMs' | 'syncedAtMs' | 'shown'> & {
      changedAt: Date;
      syncedAt: Date | null;
      shown: ShownSettings | null;
    }
  >`
    select o.object_id as "objectId", o.kind, o.campaign_id as "campaignId", o.ad_set_id as "adSetId", o.name, o.state,
      o.settings -> ${network} as settings, s.shown,
      o.version, o.updated_at as "changedAt", s.desired_version as "desiredVersion", s.status,
      s.external_id as "externalId", s.synced_at as "syncedAt"
    from ad_objects o left join ad_object_network_states s
      on s.merchant_id = o.merchant_id and s.object_id = o.object_id and s.ad_network_id = ${network}
    where o.merchant_id = ${merchantId} and o.campaign_id = any(${campaignIds}::text[]) and o.settings ? ${network}
      and (o.state <> 'ended' or s.external_id = any(${listedIds}::text[]))
    order by o.object_id
  `.execute(trx);
  return rows.map(({ changedAt, syncedAt, shown, ...row }) => ({
    ...row,
    shown: shown ?? {},
    changedAtMs: changedAt.getTime(),
    syncedAtMs: syncedAt?.getTime(),
  }));
}

/** Names of settings that a merchant's ad sets and ads have at a network, of those that have not ended. */
export async function readSettingNames(
  db: Kysely<Database>,
  { merchantId, network }: { merchantId: string; network: AdNetworkId },
): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct jsonb_object_keys(settings -> ${network}) as name from ad_objects
    where merchant_id = ${merchantId} and state <> 'ended' and jsonb_typeof(settings -> ${network}) = 'object' order by 1
  `.execute(db);
  return rows.map(({ name }) => name);
}

export interface OutsideAdObject {
  kind: 'ad_set' | 'ad';
  externalId: string;
  parentExternalId: string;
  name: string | null;
  state: 'active' | 'paused';
  firstSeenAt: Date;
}

/** A page of what others made in our campaigns at a network, by kind and the network's id, which `after` joins: `ad/123`. */
export async function listOutsideAdObjects(
  trx: Transaction<Database>,
  merchantId: string,
  network: AdNetworkId,
  { after = '', limit }: { after?: string; limit: number },
): Promise<{ items: OutsideAdObject[]; next: string | undefined }> {
  const slash = after.indexOf('/');
  const [kind, externalId] = slash < 0 ? [after, ''] : [after.slice(0, slash), after.slice(slash + 1)];
  const { rows } = await sql<OutsideAdObject>`
    select kind, external_id as "externalId", parent_external_id as "parentExternalId", name, state,
      first_seen_at as "firstSeenAt"
    from outside_ad_objects
    where merchant_id = ${merchantId} and ad_network_id = ${network} and (kind, external_id) > (${kind}, ${externalId})
    order by kind, external_id limit ${limit + 1}
  `.execute(trx);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? `${last.kind}/${last.externalId}` : undefined };
}
