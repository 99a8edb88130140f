import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import type { FeedAccount } from './feed-account.ts';
import type { FeedKey } from './feed-items.ts';
import { type FeedLine, unpackPart } from './feed-lines.ts';

/** The lines of a part that no newer run has overtaken, with where they go. Undefined when part or feed are gone. */
export async function readPart(
  db: Kysely<Database>,
  { merchantId, feedId }: FeedKey,
  run: number,
  part: number,
): Promise<{ account: FeedAccount; lines: FeedLine[] } | undefined> {
  const found = await db
    .selectFrom('feed_parts')
    .innerJoin('catalog_feeds', (join) =>
      join
        .onRef('catalog_feeds.merchant_id', '=', 'feed_parts.merchant_id')
        .onRef('catalog_feeds.feed_id', '=', 'feed_parts.feed_id'),
    )
    .select(['catalog_feeds.account as account', 'feed_parts.body as body'])
    .where('feed_parts.merchant_id', '=', merchantId)
    .where('feed_parts.feed_id', '=', feedId)
    .where('feed_parts.run', '=', run)
    .where('feed_parts.part', '=', part)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const lines = await unpackPart(found.body);
  if (lines.length === 0) return { account: found.account, lines };
  const current = await db
    .selectFrom('feed_items')
    .select('item_id')
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .where('run', '=', run)
    .where(
      'item_id',
      'in',
      lines.map(({ item }) => item),
    )
    .execute();
  const own = new Set(current.map((row) => row.item_id));
  return { account: found.account, lines: lines.filter(({ item }) => own.has(item)) };
}

/** Has products put into the next run although they did not change. */
export async function noteProducts(
  trx: Transaction<Database>,
  { merchantId, feedId }: FeedKey,
  productIds: readonly string[],
): Promise<void> {
  if (productIds.length === 0) return;
  await sql`
    insert into feed_changes as held (merchant_id, feed_id, product_id)
    select ${merchantId}, ${feedId}, product_id from unnest(${[...new Set(productIds)]}::text[]) as t (product_id)
    order by product_id collate "C"
    on conflict (merchant_id, feed_id, product_id) do update set taken_by = null where held.taken_by is not null
  `.execute(trx);
}

/** The earlier of two checks stands. */
export async function noteCheck(
  trx: Transaction<Database>,
  { merchantId, feedId }: FeedKey,
  checkAt: Date,
): Promise<void> {
  await sql`
    update catalog_feeds set check_at = least(check_at, ${checkAt}::timestamptz)
    where merchant_id = ${merchantId} and feed_id = ${feedId} and (check_at is null or check_at > ${checkAt}::timestamptz)
  `.execute(trx);
}
