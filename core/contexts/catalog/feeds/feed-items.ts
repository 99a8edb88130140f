import { type Transaction, sql } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import type { FeedItemState } from '../tables.ts';
import type { FeedIssue } from './feed-item.ts';
import type { FeedLine } from './feed-lines.ts';

/** What became of each item of a feed. */
export interface HeldItem {
  productId: string;
  run: number;
  contentHash: string;
  state: FeedItemState;
  /** The network may hold it. */
  everSent: boolean;
}

export interface ItemChange {
  itemId: string;
  productId: string;
  hash: string;
  expected: Record<string, string>;
  state: FeedItemState;
  issues: readonly FeedIssue[];
  /** Undefined when the network need not hear of it. */
  line: FeedLine | undefined;
}

export interface FeedKey {
  merchantId: string;
  feedId: string;
}

/** The items of products that the feed knows already, by item id. */
export async function readHeldItems(
  trx: Transaction<Database>,
  { merchantId, feedId }: FeedKey,
  productIds: readonly string[],
): Promise<Map<string, HeldItem>> {
  if (productIds.length === 0) return new Map();
  const rows = await trx
    .selectFrom('feed_items')
    .select([
      'item_id as itemId',
      'product_id as productId',
      'run',
      'content_hash as contentHash',
      'state',
      'submitted_at as submittedAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .where('product_id', 'in', productIds)
    .execute();
  return new Map(
    rows.map(({ itemId, submittedAt, ...row }) => [
      itemId,
      // A call whose outcome is not known may have been carried out.
      { ...row, everSent: submittedAt !== null || row.state === 'pending' || row.state === 'removing' },
    ]),
  );
}

/** A newer run's word on an item stands. Rows are locked by item in byte order. */
export async function writeFeedItems(
  trx: Transaction<Database>,
  { merchantId, feedId }: FeedKey,
  run: number,
  changes: readonly ItemChange[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(pick: (change: ItemChange) => T): T[] => changes.map(pick);
  await sql`
    insert into feed_items as held (merchant_id, feed_id, item_id, product_id, run, content_hash, expected, state, issues,
      updated_at)
    select ${merchantId}, ${feedId}, item_id, product_id, ${run}::bigint, content_hash, expected, state, issues,
      ${new Date(nowMs)}::timestamptz
    from unnest(${column((c) => c.itemId)}::text[], ${column((c) => c.productId)}::text[],
      ${column((c) => c.hash)}::text[], ${column((c) => JSON.stringify(c.expected))}::jsonb[],
      ${column((c) => c.state)}::text[], ${column((c) => JSON.stringify(c.issues))}::jsonb[])
      as t (item_id, product_id, content_hash, expected, state, issues)
    order by item_id collate "C"
    on conflict (merchant_id, feed_id, item_id) do update set
      product_id = excluded.product_id, run = excluded.run, content_hash = excluded.content_hash,
      expected = excluded.expected, state = excluded.state, issues = excluded.issues, updated_at = excluded.updated_at
    where held.run < excluded.run
  `.execute(trx);
}

/** What a network said about an item. */
export interface ItemVerdict {
  itemId: string;
  state: FeedItemState;
  /** Come on top of our own warnings. */
  issues: readonly FeedIssue[];
}

/** Notes verdicts on items of one run; of an item that a newer run carries meanwhile the verdict is stale. */
export async function recordVerdicts(
  trx: Transaction<Database>,
  { merchantId, feedId }: FeedKey,
  verdicts: readonly (ItemVerdict & { run: number })[],
  kind: 'submission' | 'check',
  nowMs: number,
): Promise<void> {
  if (verdicts.length === 0) return;
  const column = <T>(pick: (verdict: ItemVerdict & { run: number }) => T): T[] => verdicts.map(pick);
  const now = sql`${new Date(nowMs)}::timestamptz`;
  await sql`
    with verdict as (
      select * from unnest(${column((v) => v.itemId)}::text[], ${column((v) => v.run)}::bigint[],
        ${column((v) => v.state)}::text[], ${column((v) => JSON.stringify(v.issues))}::jsonb[])
        as t (item_id, run, state, issues)
    ), locked as (
      select item_id from feed_items
      where merchant_id = ${merchantId} and feed_id = ${feedId} and item_id in (select item_id from verdict)
      order by item_id for update
    )
    update feed_items i set state = verdict.state,
      issues = (select coalesce(jsonb_agg(issue), '[]') from jsonb_array_elements(i.issues) issue
        where issue ->> 'code' not like 'network.%') || verdict.issues,
      submitted_at = ${kind === 'submission' ? now : sql`i.submitted_at`},
      checked_at = ${kind === 'check' ? now : sql`i.checked_at`},
      updated_at = ${now}
    from verdict join locked using (item_id)
    where i.merchant_id = ${merchantId} and i.feed_id = ${feedId} and i.item_id = verdict.item_id
      and i.run = verdict.run
  `.execute(trx);
}
