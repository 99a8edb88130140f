import { isDeepStrictEqual } from 'node:util';
import type { AdObjectKind, ListedAdObject } from './ad-object-network.ts';
import { type ShownSettings, compareSettings } from './compare-settings.ts';
import { campaignTag, taggedName } from './campaign-name.ts';
import type { CampaignState } from './network.ts';

export interface AdObjectKey {
  kind: AdObjectKind;
  objectId: string;
}

/** What we hold about an ad set or ad that a network is to have. */
export interface HeldAdObject extends AdObjectKey {
  campaignId: string;
  /** Of an ad. */
  adSetId: string | null;
  name: string;
  /** Those that the network shows, as it would show them. */
  settings: Record<string, unknown>;
  /** What it showed when it was told of them again. */
  shown: ShownSettings;
  state: CampaignState;
  version: number;
  changedAtMs: number;
  /** Null where the network was never told of it. */
  desiredVersion: number | null;
  status: 'pending' | 'live' | 'failed' | null;
  externalId: string | null;
  /** When the network was last known to hold it. */
  syncedAtMs: number | undefined;
}

export type KnownListing = ListedAdObject & { kind: AdObjectKind };

export interface AdObjectDifferences {
  /** What the network holds in another state than was made true there. */
  drifted: AdObjectKey[];
  /** What it holds under another name. */
  renamed: AdObjectKey[];
  /** What it holds with other settings. */
  altered: (AdObjectKey & { settings: string[] })[];
  /** What it shows otherwise than it was told, of each where that is not as it was. */
  shown: (AdObjectKey & { shown: ShownSettings })[];
  /** What the network does not have any more, and what has to go with it: ads of an ad set that is gone. */
  missing: AdObjectKey[];
  /** Campaigns with something missing, renamed or altered, or with something that the network was never told of. */
  toFollow: string[];
  /** What carries our tag and is not the one that we go on with. */
  twins: { kind: AdObjectKind; externalId: string }[];
  outside: KnownListing[];
}

/** An intent's key. */
export const objectKeyOf = ({ kind, objectId }: AdObjectKey): string => `${kind}:${objectId}`;

/** By which it is found at a network. */
export const adObjectTag = (merchantId: string, key: AdObjectKey): string => campaignTag(merchantId, objectKeyOf(key));

/**
 * Compares a complete listing of what has not ended in some campaigns, begun at `listedAtMs`, with what we hold in these
 * campaigns. Says nothing about what something is under way for, its campaign included, or what the listing may be too old to
 * know.
 */
export function compareAdObjects(
  merchantId: string,
  held: readonly HeldAdObject[],
  listing: readonly KnownListing[],
  { listedAtMs, lagMs, resting }: { listedAtMs: number; lagMs: number; resting: ReadonlySet<string> },
): AdObjectDifferences {
  const isOld = (atMs: number | undefined) => atMs !== undefined && atMs + lagMs < listedAtMs;
  const placeOf = (kind: AdObjectKind, externalId: string) => `${kind} ${externalId}`;
  const there = new Map(listing.map((each) => [placeOf(each.kind, each.externalId), each]));
  const byTag = Map.groupBy(listing, ({ tag }) => tag);
  const ours = new Set(held.map((each) => adObjectTag(merchantId, each)));
  const known = new Set(held.map(({ kind, externalId }) => placeOf(kind, externalId ?? '')));

  const drifted: HeldAdObject[] = [];
  const renamed: HeldAdObject[] = [];
  const altered = new Map<HeldAdObject, string[]>();
  const shown: AdObjectDifferences['shown'] = [];
  const missing: HeldAdObject[] = [];
  const untold = held.filter(
    (each) =>
      each.state !== 'ended' &&
      each.version > (each.desiredVersion ?? 0) &&
      resting.has(each.campaignId) &&
      isOld(each.changedAtMs),
  );
  const twins: AdObjectDifferences['twins'] = [];
  for (const each of held) {
    const { kind, externalId, status, version, desiredVersion, syncedAtMs, state } = each;
    const rests = status === 'live' && version === desiredVersion && isOld(syncedAtMs) && resting.has(each.campaignId);
    if (!rests || externalId === null) continue;
    const found = there.get(placeOf(kind, externalId));
    const tagged = byTag.get(adObjectTag(merchantId, each)) ?? [];
    for (const twin of tagged) if (twin !== found) twins.push({ kind: twin.kind, externalId: twin.externalId });
    if (found === undefined) {
      if (state !== 'ended') missing.push(each);
      continue;
    }
    if (state !== 'ended') {
      const settings = compareSettings(each.settings, found.settings, each.shown);
      if (!isDeepStrictEqual(settings.shown, each.shown)) shown.push({ ...keyOf(each), shown: settings.shown });
      const names = Object.keys(settings.drifted);
      if (names.length > 0) altered.set(each, names);
    }
    if (state !== 'ended' && isRenamed(merchantId, each, found)) renamed.push(each);
    // What is told of again is told of its state too.
    else if (found.state !== state && !altered.has(each)) drifted.push(each);
  }
  const goneSets = new Set(missing.map(({ objectId }) => objectId));
  const isOpen = ({ status }: HeldAdObject) => status === 'live' || status === 'pending';
  const orphans = held.filter(
    (each) =>
      each.state !== 'ended' && isOpen(each) && goneSets.has(each.adSetId ?? '') && !goneSets.has(each.objectId),
  );
  const gone = [...missing, ...orphans];
  const isGone = new Set(gone.map(({ objectId }) => objectId));
  const isThere = ({ objectId }: AdObjectKey) => !isGone.has(objectId);
  const wrong = [...renamed, ...altered.keys()].filter(isThere);
  return {
    drifted: drifted.filter(isThere).map(keyOf),
    renamed: renamed.filter(isThere).map(keyOf),
    altered: [...altered].flatMap(([each, settings]) => (isThere(each) ? { ...keyOf(each), settings } : [])),
    shown: shown.filter(isThere),
    missing: gone.map(keyOf),
    toFollow: [...new Set([...gone, ...wrong, ...untold].map(({ campaignId }) => campaignId))].toSorted(),
    twins,
    outside: listing.filter(
      ({ kind, externalId, tag }) => !known.has(placeOf(kind, externalId)) && !ours.has(tag ?? ''),
    ),
  };
}

const keyOf = ({ kind, objectId }: AdObjectKey): AdObjectKey => ({ kind, objectId });

const isRenamed = (merchantId: string, held: HeldAdObject, { name }: KnownListing): boolean =>
  name !== undefined && name !== taggedName(held.name, adObjectTag(merchantId, held));
