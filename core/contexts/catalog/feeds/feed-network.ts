import type { DestinationLimits } from '../../../events/destination-limits.ts';
import type { FeedIssue } from './feed-item.ts';
import type { ItemVerdict } from './feed-items.ts';
import type { FeedLine } from './feed-lines.ts';

/** A network's catalog. Items are sent as states, so that sending one again changes nothing. */
export interface FeedNetwork<Account> {
  limits: DestinationLimits;
  /**
   * Sends lines. Resolves with a verdict for each: `submitted` or `removed` when the network took it, `rejected` with its
   * reasons. Throws, as drivers do, when the network took or refused the call as a whole.
   */
  submit(account: Account, lines: readonly FeedLine[], signal: AbortSignal): Promise<ItemVerdict[]>;
  /** What the catalog shows of items now, by item id; those it does not show are left out. */
  readBack(account: Account, itemIds: readonly string[], signal: AbortSignal): Promise<Map<string, ShownItem>>;
}

/** A network as one account of it. */
export interface BoundNetwork {
  submit(lines: readonly FeedLine[], signal: AbortSignal): Promise<ItemVerdict[]>;
  readBack(itemIds: readonly string[], signal: AbortSignal): Promise<Map<string, ShownItem>>;
}

export interface ShownItem {
  /** pending: the network is not done with it. */
  state: 'pending' | 'approved' | 'disapproved';
  /** By the names of the item's expectation. */
  shows: Record<string, string>;
  issues: readonly FeedIssue[];
}

export const networkIssue = (
  severity: FeedIssue['severity'],
  what: string,
  attribute: string,
  message: string,
): FeedIssue => ({
  severity,
  code: `network.${what}`.slice(0, 100),
  attribute: attribute.slice(0, 100),
  message: message.slice(0, 500),
});

/** Runs `work` over items, at most `width` at a time; the first failure ends it. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>();
  let next = 0;
  const run = async () => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item !== undefined) results.set(at, await work(item));
    }
  };
  const runs = await Promise.allSettled(Array.from({ length: Math.min(width, items.length) }, run));
  for (const each of runs) if (each.status === 'rejected') throw each.reason;
  return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
}
