import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import { dayOf } from '../../core/runtime/clock.ts';
import type { Random } from './random.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/**
 * Reports of one merchant's figures. Many speak of the same day and campaign, and what was read earlier may be sent later:
 * the newest reading must win, in whatever order they arrive.
 */
export function performanceEvent(random: Random, n: number, atMs: number, currency = 'EUR'): Record<string, unknown> {
  const campaign = random.below(3);
  const readAtMs = atMs - hourMs + random.below(hourMs / 1_000) * 1_000 + (n % 1_000);
  return {
    adNetworkId: random.pick(adNetworkIds),
    reportDate: dayOf(atMs - (1 + random.below(3)) * dayMs),
    // Figures of a whole account carry no campaign.
    ...(campaign === 0 ? {} : { campaignId: `cmp-${campaign}` }),
    ...(random.chance(0.2) ? { adSetId: `set-${random.below(2)}` } : {}),
    metricsPayload: {
      impressions: random.below(100_000),
      clicks: random.below(5_000),
      conversions: random.below(400) / 4,
      spendMicros: random.below(900_000_000),
      currency,
    },
    timestamp: new Date(readAtMs).toISOString(),
  };
}
