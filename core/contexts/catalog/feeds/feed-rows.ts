import { type Transaction, sql } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import { newId } from '../../../runtime/ids.ts';
import type { FeedItemState } from '../tables.ts';
import type { FeedAccount } from './feed-account.ts';
import type { FeedIssue } from './feed-item.ts';

/** Feeds as their merchant keeps and sees them. */
export interface Feed {
  feedId: string;
  account: FeedAccount;
  state: 'active' | 'paused';
  refreshMinutes: number;
  fullRefreshHours: number;
  nextRunAt: Date | null;
  lastFullAt: Date | null;
  lastRun: FeedRun | undefined;
  /** How many items are in each state. */
  items: Record<string, number>;
}

export interface FeedRun {
  run: number;
  mode: 'full' | 'delta';
  state: 'building' | 'ready' | 'submitted';
  items: number;
  removals: number;
  invalid: number;
  startedAt: Date;
}

export interface NewFeed {
  account: FeedAccount;
  refreshMinutes: number;
  fullRefreshHours: number;
}

/** Creates a feed; its first run, of everything, is due at once. */
export async function createFeed(
  trx: Transaction<Database>,
  merchantId: string,
  { account, refreshMinutes, fullRefreshHours }: NewFeed,
  nowMs: number,
): Promise<string> {
  const feedId = `feed-${newId()}`;
  const now = new Date(nowMs);
  await trx
    .insertInto('catalog_feeds')
    .values({
      merchant_id: merchantId,
      feed_id: feedId,
      network: account.network,
      account: JSON.stringify(account),
      refresh_minutes: refreshMinutes,
      full_refresh_hours: fullRefreshHours,
      due_at: now,
      created_at: now,
      updated_at: now,
    })
    .execute();
  return feedId;
}

/**
 * Has a run begin soon. A feed that was paused missed changes, so it begins again with everything. False when there is no
 * such feed.
 */
export async function requestRun(
  trx: Transaction<Database>,
  merchantId: string,
  { feedId, mode }: { feedId: string; mode: 'full' | 'delta' },
  nowMs: number,
): Promise<boolean> {
  const now = new Date(nowMs);
  const { numUpdatedRows } = await trx
    .updateTable('catalog_feeds')
    .set({
      due_at: now,
      updated_at: now,
      // A full run that is due stays one.
      ...(mode === 'full' ? { due_mode: 'full' as const } : {}),
    })
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** False when there is no such feed. */
export async function changeFeedState(
  trx: Transaction<Database>,
  merchantId: string,
  { feedId, state }: { feedId: string; state: 'active' | 'paused' },
  nowMs: number,
): Promise<boolean> {
  const now = new Date(nowMs);
  const { numUpdatedRows } = await trx
    .updateTable('catalog_feeds')
    .set({
      state,
      updated_at: now,
      ...(state === 'active' ? { due_at: now, due_mode: 'full' as const } : { due_at: null }),
    })
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

const MAX_FEEDS = 100;

/** A merchant's feeds by id, or the one that is named. */
export async function readFeeds(trx: Transaction<Database>, merchantId: string, feedId?: string): Promise<Feed[]> {
  const feeds = await trx
    .selectFrom('catalog_feeds')
    .select([
      'feed_id as feedId',
      'account',
      'state',
      'refresh_minutes as refreshMinutes',
      'full_refresh_hours as fullRefreshHours',
      'due_at as nextRunAt',
      'last_full_at as lastFullAt',
    ])
    .where('merchant_id', '=', merchantId)
    .$if(feedId !== undefined, (query) => query.where('feed_id', '=', feedId ?? ''))
    .orderBy('feed_id')
    .limit(MAX_FEEDS)
    .execute();
  const ids = feeds.map((feed) => feed.feedId);
  const runs = await sql<FeedRun & { feedId: string }>`
    select distinct on (feed_id) feed_id as "feedId", run, mode, state, items, removals, invalid,
      created_at as "startedAt"
    from feed_runs where merchant_id = ${merchantId} and feed_id = any(${ids}::text[]) order by feed_id, run desc
  `.execute(trx);
  const counts = await sql<{ feedId: string; state: string; items: number }>`
    select feed_id as "feedId", state, count(*) as items from feed_items
    where merchant_id = ${merchantId} and feed_id = any(${ids}::text[]) group by feed_id, state
  `.execute(trx);
  return feeds.map((feed) => {
    const { feedId: _, ...lastRun } = runs.rows.find((run) => run.feedId === feed.feedId) ?? { feedId: '' };
    const own = counts.rows.filter((row) => row.feedId === feed.feedId);
    return {
      ...feed,
      lastRun: 'run' in lastRun ? lastRun : undefined,
      items: Object.fromEntries(own.map((row) => [row.state, row.items])),
    };
  });
}

export interface FeedItemRow {
  itemId: string;
  productId: string;
  state: FeedItemState;
  issues: FeedIssue[];
  submittedAt: Date | null;
  checkedAt: Date | null;
}

/** A page of a feed's items by id, of one state or all. */
export async function listFeedItems(
  trx: Transaction<Database>,
  merchantId: string,
  { feedId, state, after = '', limit }: { feedId: string; state?: FeedItemState; after?: string; limit: number },
): Promise<{ items: FeedItemRow[]; next: string | undefined }> {
  const rows = await trx
    .selectFrom('feed_items')
    .select([
      'item_id as itemId',
      'product_id as productId',
      'state',
      'issues',
      'submitted_at as submittedAt',
      'checked_at as checkedAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .where('item_id', '>', after)
    .$if(state !== undefined, (query) => query.where('state', '=', state ?? 'invalid'))
    .orderBy('item_id')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? items.at(-1)?.itemId : undefined };
}
