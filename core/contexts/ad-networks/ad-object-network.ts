import type { AdAccount, CampaignState, DayRange, ReportRow } from './network.ts';

export type AdObjectKind = 'ad_set' | 'ad';

/** An ad set or ad as a network is told of it first. */
export interface AdObjectFields {
  /** What the network calls the campaign or the ad set that it belongs to. */
  parentId: string;
  /** With our tag in it. */
  name: string;
  tag: string;
  state: Exclude<CampaignState, 'ended'>;
  /** In the network's own words: targeting, bids, creatives. What we say ourselves goes before it. */
  settings: Record<string, unknown>;
}

/** What changes of an ad set or ad, beside its state. */
export interface AdObjectChanges {
  /** What the network calls the campaign or the ad set that it belongs to. */
  parentId: string;
  /** With our tag in it. */
  name: string;
  /** All of them, for networks that take nothing less. */
  settings: Record<string, unknown>;
  /** Those that the network does not have so. */
  changed: Record<string, unknown>;
}

export interface NetworkAdObject {
  externalId: string;
  state: CampaignState;
}

/** An ad set or ad in a listing. */
export interface ListedAdObject extends NetworkAdObject {
  /** What the network calls the campaign or the ad set that it belongs to. */
  parentId: string;
  /** Undefined where the network knows no names for its kind. */
  name: string | undefined;
  /** Ours, undefined where it has none: it was made by somebody else. */
  tag: string | undefined;
  /** Of the settings that were asked about, those that the network shows; null for one that it has not. */
  settings: Record<string, unknown>;
}

/** The settings with these names. */
export const only = (names: readonly string[], settings: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => names.includes(name)));

/** Campaigns that a listing names in one call: TikTok takes no more. */
const MAX_CAMPAIGNS = 100;

/** Answers for any number of campaigns, as many to a call as the networks take. */
export async function byCampaigns<T>(
  campaignIds: readonly string[],
  read: (campaignIds: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const all: T[] = [];
  for (let at = 0; at < campaignIds.length; at += MAX_CAMPAIGNS)
    all.push(...(await read(campaignIds.slice(at, at + MAX_CAMPAIGNS))));
  return all;
}

/** What we ask of a network about what lies under a campaign. Errors are those of `AdNetwork`. */
export interface NetworkAdObjects {
  /** Answers with the network's id. `requestKey` (hex) names the call where the network knows idempotency. */
  create(
    account: AdAccount,
    kind: AdObjectKind,
    fields: AdObjectFields,
    requestKey: string,
    signal: AbortSignal,
  ): Promise<string>;
  /** Doing it again changes nothing. */
  changeState(
    account: AdAccount,
    kind: AdObjectKind,
    externalId: string,
    state: CampaignState,
    signal: AbortSignal,
  ): Promise<void>;
  /** Doing it again changes nothing. What a network does not let change, it refuses for good. */
  change(
    account: AdAccount,
    kind: AdObjectKind,
    externalId: string,
    changes: AdObjectChanges,
    signal: AbortSignal,
  ): Promise<void>;
  /** Every one with the tag, also ended ones. */
  find(
    account: AdAccount,
    kind: AdObjectKind,
    at: { parentId: string; tag: string },
    signal: AbortSignal,
  ): Promise<NetworkAdObject[]>;
  /**
   * Every one in these campaigns that has not ended, and whose ad set has not. Complete, or it fails.
   * @param settingNames what is to be shown of their settings, as far as `comparable` knows it
   */
  list(
    account: AdAccount,
    kind: AdObjectKind,
    { campaignIds, settingNames }: { campaignIds: readonly string[]; settingNames: readonly string[] },
    signal: AbortSignal,
  ): Promise<ListedAdObject[]>;
  /** Those settings that a listing shows, as it would show them, by the names that they are told with. Calls nobody. */
  comparable(kind: AdObjectKind, settings: Record<string, unknown>): Record<string, unknown>;
  /** Days of the ads in these campaigns, also of those that have ended: not all that a campaign has comes from an ad. */
  report(
    account: AdAccount,
    range: DayRange,
    campaignIds: readonly string[],
    signal: AbortSignal,
  ): Promise<ReportRow[]>;
}
