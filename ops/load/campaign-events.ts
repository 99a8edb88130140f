import { type AdNetworkId, adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import type { Random } from './random.ts';

/** Commands for one merchant's few campaigns: started once, then paused and activated again and again. */
export interface CampaignEvents {
  next(timestamp: string): Record<string, unknown>;
}

interface Known {
  readonly networks: readonly AdNetworkId[];
  readonly name: string;
  dailyBudgetMinor: number;
  active: boolean;
}

export function campaignEvents(merchantId: string, random: Random): CampaignEvents {
  const campaigns = new Map<string, Known>();
  const count = 1 + random.below(2);
  const start = (campaignId: string): Known => {
    const first = random.below(adNetworkIds.length);
    return {
      networks: adNetworkIds.filter((_, index) => index === first || (index === (first + 1) % 3 && random.chance(0.3))),
      name: `Campaign ${campaignId}`,
      dailyBudgetMinor: 1_000 + random.below(9_000),
      active: true,
    };
  };
  return {
    next(timestamp) {
      const campaignId = `cmp-${1 + random.below(count)}`;
      const known = campaigns.get(campaignId);
      const campaign = known ?? start(campaignId);
      campaigns.set(campaignId, campaign);
      if (known !== undefined) campaign.active = !campaign.active;
      const changed = known === undefined || random.chance(0.2);
      if (changed) campaign.dailyBudgetMinor = 1_000 + random.below(9_000);
      return {
        campaignId,
        merchantId,
        requestedState: campaign.active ? 'active' : 'paused',
        adNetworkIds: campaign.networks,
        timestamp,
        // A command that changes the state alone may leave them out.
        ...(changed || random.chance(0.5)
          ? {
              campaignParametersForSync: {
                name: campaign.name,
                dailyBudgetMinor: campaign.dailyBudgetMinor,
                currency: 'EUR',
              },
            }
          : {}),
      };
    },
  };
}
