import { campaignTag, tagIn, taggedName } from './campaign-name.ts';
import type { CampaignState, NetworkCampaign } from './network.ts';

/** What we hold about a campaign at a network. */
export interface HeldCampaign {
  campaignId: string;
  externalId: string | null;
  status: 'pending' | 'live' | 'failed';
  desiredState: CampaignState;
  name: string;
  dailyBudgetMinor: number;
  /** When the network was last known to hold it. */
  syncedAtMs: number | undefined;
}

export interface Differences {
  /** Campaigns whose network holds something else than what was made true there. */
  drifted: string[];
  /** Campaigns that somebody ended or deleted at the network: no network takes them back. */
  endedOutside: string[];
  /** Network ids of campaigns that carry our tag and are not the one that we go on with. */
  twins: string[];
  outside: NetworkCampaign[];
}

/**
 * Compares a complete listing of what has not ended, begun at `listedAtMs`, with what we hold. Says nothing about a campaign
 * for which something is under way, or which the listing may be too old to know: a call that nobody has the answer to yet is
 * not drift.
 */
export function compareWithListing(
  merchantId: string,
  held: readonly HeldCampaign[],
  listing: readonly NetworkCampaign[],
  { listedAtMs, lagMs }: { listedAtMs: number; lagMs: number },
): Differences {
  const byTag = Map.groupBy(listing, ({ name }) => tagIn(name));
  const ours = new Set(held.map(({ campaignId }) => campaignTag(merchantId, campaignId)));
  const differences: Differences = {
    drifted: [],
    endedOutside: [],
    twins: [],
    outside: listing.filter(({ name }) => !ours.has(tagIn(name) ?? '')),
  };
  for (const campaign of held) {
    const { campaignId, externalId, status, syncedAtMs } = campaign;
    const rests = status === 'live' && syncedAtMs !== undefined && syncedAtMs + lagMs < listedAtMs;
    if (!rests || externalId === null) continue;
    const found = byTag.get(campaignTag(merchantId, campaignId)) ?? [];
    // Somebody may have changed the name, and the tag with it.
    const there = listing.find((each) => each.externalId === externalId);
    differences.twins.push(...found.filter((each) => each !== there).map((each) => each.externalId));
    if (there === undefined) {
      if (campaign.desiredState !== 'ended') differences.endedOutside.push(campaignId);
    } else if (!isAsDesired(merchantId, campaign, there)) differences.drifted.push(campaignId);
  }
  const known = new Set(held.map(({ externalId }) => externalId));
  differences.outside = differences.outside.filter(({ externalId }) => !known.has(externalId));
  return differences;
}

const isAsDesired = (merchantId: string, held: HeldCampaign, there: NetworkCampaign): boolean =>
  there.state === held.desiredState &&
  there.dailyBudgetMinor === held.dailyBudgetMinor &&
  there.name === taggedName(held.name, campaignTag(merchantId, held.campaignId));
