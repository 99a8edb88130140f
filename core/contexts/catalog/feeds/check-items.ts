import type { Kysely } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import type { FeedAccount } from './feed-account.ts';
import type { FeedIssue } from './feed-item.ts';
import type { FeedKey } from './feed-items.ts';
import { type BoundNetwork, type ShownItem, networkIssue } from './feed-network.ts';
import type { FeedOutcome } from './feed-outcome.ts';

/** Items that one check looks at; what is left is the next one's. */
const BATCH = 300;
/** How long an item may take to show as it was sent. */
const PATIENCE_MS = 3_600_000;

interface Unchecked {
  itemId: string;
  productId: string;
  run: number;
  expected: Record<string, string>;
  submittedAt: Date | null;
}

/**
 * Compares what was submitted with what the network shows: a call that was answered well says only that it was understood.
 * Those that were looked at longest ago come first.
 */
export async function checkItems(
  db: Kysely<Database>,
  { merchantId, feedId }: FeedKey,
  at: (account: FeedAccount) => BoundNetwork,
  now: number,
  signal: AbortSignal,
): Promise<FeedOutcome> {
  const feed = await db
    .selectFrom('catalog_feeds')
    .select('account')
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .executeTakeFirst();
  if (feed === undefined) return { verdicts: [], again: [], open: 0 };
  const items: Unchecked[] = await db
    .selectFrom('feed_items')
    .select(['item_id as itemId', 'product_id as productId', 'run', 'expected', 'submitted_at as submittedAt'])
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .where('state', '=', 'submitted')
    .orderBy('checked_at', (order) => order.asc().nullsFirst())
    .orderBy('item_id')
    .limit(BATCH + 1)
    .execute();
  const looked = items.slice(0, BATCH);
  if (looked.length === 0) return { verdicts: [], again: [], open: 0 };
  const shown = await at(feed.account).readBack(
    looked.map(({ itemId }) => itemId),
    signal,
  );
  const judged = looked.map((item) => ({ item, ...judge(item, shown.get(item.itemId), now) }));
  return {
    verdicts: judged.map(({ item: { itemId, run }, state, issues }) => ({ itemId, run, state, issues: [...issues] })),
    again: judged.filter(({ again }) => again).map(({ item }) => item.productId),
    open: judged.filter(({ state }) => state === 'submitted').length + (items.length - looked.length),
  };
}

interface Judgement {
  state: 'submitted' | 'accepted' | 'rejected';
  issues: readonly FeedIssue[];
  /** The network lost it: it is to be sent once more. */
  again: boolean;
}

function judge(item: Unchecked, shown: ShownItem | undefined, now: number): Judgement {
  const waits = now - (item.submittedAt?.getTime() ?? 0) < PATIENCE_MS;
  const giveUp = (what: string, message: string): Judgement =>
    waits
      ? { state: 'submitted', issues: [], again: false }
      : { state: 'rejected', issues: [networkIssue('error', what, 'product', message)], again: true };
  if (shown === undefined) return giveUp('not_shown', 'the network took the item and does not show it');
  if (shown.state === 'disapproved') return { state: 'rejected', issues: shown.issues, again: false };
  const differs = Object.keys(item.expected).find((name) => item.expected[name] !== (shown.shows[name] ?? ''));
  if (differs !== undefined) return giveUp('differs', `the network shows another ${differs} than was sent`);
  if (shown.state === 'pending') return { state: 'submitted', issues: [], again: false };
  return { state: 'accepted', issues: shown.issues, again: false };
}
