import type { Random } from './random.ts';

/** What keeps the networks' copies and our own stores in order. */
export interface UpkeepEvents {
  audience(timestamp: string): Record<string, unknown>;
  feed(timestamp: string): Record<string, unknown>;
}

/** TikTok takes no audience of less than a thousand members. */
const audienceNetworks = ['google_ads', 'meta'] as const;

export const segments = ['seg-1', 'seg-2'] as const;
const feedIds = ['feed-google', 'feed-meta'] as const;
/** The network of each. */
const networkOf: Readonly<Record<(typeof feedIds)[number], string>> = {
  'feed-google': 'google_merchant',
  'feed-meta': 'meta_catalog',
};

export function upkeepEvents(merchantId: string, random: Random): UpkeepEvents {
  const runs = new Map<string, number>();
  return {
    audience: (timestamp) => ({
      segmentId: random.pick(segments),
      adNetworkIds: [random.pick(audienceNetworks)],
      operation: 'sync',
      timestamp,
    }),
    feed(timestamp) {
      const feedId = random.pick(feedIds);
      const feedRun = (runs.get(feedId) ?? 0) + 1;
      runs.set(feedId, feedRun);
      return {
        feedId,
        merchantId,
        adNetworkId: networkOf[feedId],
        feedRun,
        feedMode: feedRun === 1 ? 'full' : 'delta',
        itemCount: 1,
        partCount: 1,
        timestamp,
      };
    },
  };
}

/** Months before the load's own that have something to archive: the oldest is this many back. */
const oldestMonths = 42;
export const archivedMonths = 6;

/** The first day of the oldest month that retention is asked to archive. */
export function oldestMonth(startMs: number): Date {
  const start = new Date(startMs);
  return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() - oldestMonths, 1));
}

export function retentionEvent(random: Random, startMs: number, timestamp: string): Record<string, unknown> {
  const month = oldestMonth(startMs);
  month.setUTCMonth(month.getUTCMonth() + random.below(archivedMonths));
  return {
    dataClass: 'audit_log',
    month: month.toISOString().slice(0, 7),
    ...(random.chance(0.5) ? { dryRun: true } : {}),
    timestamp,
  };
}
