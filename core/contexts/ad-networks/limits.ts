import { DAY_MS } from '../../runtime/clock.ts';
import type { DestinationLimits } from '../../events/destination-limits.ts';

/**
 * What each network allows an application with standard access, as documented in November 2026:
 *
 * meta        9,000 points in 60 s, a write costs 3 and a read 1: all are counted as writes
 * google_ads  15,000 operations a day, a search counts as one
 * tiktok      10 calls a second and 600 a minute; after a breach of the minute it refuses for five
 *
 * An account with other terms says so in LANEWAY_DESTINATION_LIMITS.
 */
const limits: Readonly<Record<string, DestinationLimits>> = {
  meta: { quota: [{ calls: 3_000, perMs: 60_000 }], concurrency: 4 },
  google_ads: { quota: [{ calls: 15_000, perMs: DAY_MS }], concurrency: 4 },
  tiktok: {
    quota: [
      { calls: 10, perMs: 1_000, burst: 6 },
      { calls: 600, perMs: 60_000 },
    ],
    concurrency: 4,
  },
};

const otherwise: DestinationLimits = { quota: [{ calls: 600, perMs: 60_000 }], concurrency: 4 };

export const limitsOfNetwork = (network: string): DestinationLimits =>
  Object.hasOwn(limits, network) ? (limits[network] ?? otherwise) : otherwise;
