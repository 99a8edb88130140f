import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../../database/tables.ts';
import { contentHash } from '../../../runtime/ids.ts';
import { readVariants } from '../reads.ts';
import type { FeedAccount, FeedNetworkId } from './feed-account.ts';
import { type FeedItem, type FindSale, itemsOf } from './feed-item.ts';
import { type FeedLine, packPart } from './feed-lines.ts';
import { type HeldItem, type ItemChange, readHeldItems, writeFeedItems } from './feed-items.ts';
import { describeItem } from './describe-item.ts';
import type { Sales } from './sales.ts';
import { isSendable, validateItem } from './validate-item.ts';

/**
 * Writes a run of a feed, page by page, so that memory holds a page and a part however large the catalog is.
 *
 *   building ──all parts are written──► built (ready_at is set) ──recorded──► ready ──intents are written──► submitted
 *
 * A run that stays at building was given up: the next one takes its changes over and builds its items again. A page is one
 * short transaction, which first takes the changes of its products and then reads them: what changes later gives the
 * change back, and belongs to the next run.
 */
export interface BuiltFeed extends Record<string, unknown> {
  run: number;
  mode: 'full' | 'delta';
  items: number;
  removals: number;
  invalid: number;
  parts: number;
}

export interface FeedRequest {
  merchantId: string;
  feedId: string;
  mode: 'full' | 'delta';
  /** The same for every try of one request. */
  buildKey: string;
}

const PAGE = 500;
/** Items of a part, which is what one call of an effect submits. */
const PART_ITEMS: Readonly<Record<FeedNetworkId, number>> = { google_merchant: 100, meta_catalog: 1_000 };

interface Feed {
  network: FeedNetworkId;
  account: FeedAccount;
  run: number;
  /** A sale has begun, ended or changed since the run before: any product may cost something else. */
  salesChanged: boolean;
}

/** Undefined when there is no such feed. Rejects when `signal` fires. */
export async function buildFeed(
  db: Kysely<Database>,
  request: FeedRequest,
  { sales, now, signal }: { sales: Sales; now: number; signal: AbortSignal },
): Promise<BuiltFeed | undefined> {
  const feed = await beginRun(db, request, sales.version, now);
  if (feed === undefined) return undefined;
  const givenUp = await readGivenUp(db, request, feed.run);
  const built: BuiltFeed = { run: feed.run, mode: request.mode, items: 0, removals: 0, invalid: 0, parts: 0 };
  let pending: FeedLine[] = [];
  const writePart = async (lines: FeedLine[]) => {
    built.parts += 1;
    await insertPart(db, request, built, lines);
  };
  for (let after = '', more = true; more;) {
    signal.throwIfAborted();
    const page = await db.transaction().execute(async (trx) => {
      const productIds = await takePage(trx, request, feed, after);
      const held = await readHeldItems(trx, request, productIds);
      const items = await readItems(trx, request, feed.account, productIds, sales.findSale);
      const changes = compare(feed, request.mode, items, held, givenUp);
      await writeFeedItems(trx, request, feed.run, changes, now);
      return { productIds, changes };
    });
    for (const { line, state } of page.changes) {
      if (state === 'invalid') built.invalid += 1;
      if (line === undefined) continue;
      if ('remove' in line) built.removals += 1;
      else built.items += 1;
      pending.push(line);
    }
    const size = PART_ITEMS[feed.network];
    for (; pending.length >= size; pending = pending.slice(size)) await writePart(pending.slice(0, size));
    after = page.productIds.at(-1) ?? '';
    more = page.productIds.length === PAGE;
  }
  if (pending.length > 0) await writePart(pending);
  await endRun(db, request, built, now);
  return built;
}

async function beginRun(
  db: Kysely<Database>,
  request: FeedRequest,
  salesVersion: number,
  now: number,
): Promise<Feed | undefined> {
  return await db.transaction().execute(async (trx) => {
    const feed = await trx
      .updateTable('catalog_feeds')
      .set((set) => ({ last_run: set('last_run', '+', 1), updated_at: new Date(now) }))
      .where('merchant_id', '=', request.merchantId)
      .where('feed_id', '=', request.feedId)
      .returning(['network', 'account', 'last_run as run', 'offers_version as salesVersion'])
      .executeTakeFirst();
    if (feed === undefined) return undefined;
    await trx
      .insertInto('feed_runs')
      .values({
        merchant_id: request.merchantId,
        feed_id: request.feedId,
        run: feed.run,
        mode: request.mode,
        state: 'building',
        build_key: request.buildKey,
        created_at: new Date(now),
      })
      .execute();
    return { ...feed, salesChanged: feed.salesVersion !== salesVersion };
  });
}

/** Runs whose items nobody will submit. */
async function readGivenUp(
  db: Kysely<Database>,
  { merchantId, feedId }: FeedRequest,
  run: number,
): Promise<ReadonlySet<number>> {
  const rows = await db
    .selectFrom('feed_runs')
    .select('run')
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .where('state', '=', 'building')
    .where('run', '<', run)
    .execute();
  return new Set(rows.map((row) => row.run));
}

/** The products of a page, by id: all of them, or those that changed where nothing else can have. Their changes belong to this run from here on. */
async function takePage(
  trx: Transaction<Database>,
  { merchantId, feedId, mode }: FeedRequest,
  { run, salesChanged }: Feed,
  after: string,
): Promise<string[]> {
  const ofFeed = sql`merchant_id = ${merchantId} and feed_id = ${feedId}`;
  const page =
    mode === 'full' || salesChanged
      ? sql`select product_id from products where merchant_id = ${merchantId} and product_id > ${after}
          order by product_id limit ${PAGE}`
      : sql`select product_id from feed_changes where ${ofFeed} and product_id > ${after}
          order by product_id limit ${PAGE}`;
  const { rows } = await sql<{ productId: string }>`
    with page as (${page}), locked as (
      select product_id from feed_changes where ${ofFeed} and product_id in (select product_id from page)
      order by product_id for update
    ), taken as (
      update feed_changes set taken_by = ${run} where ${ofFeed} and product_id in (select product_id from locked)
    )
    select product_id as "productId" from page order by product_id
  `.execute(trx);
  return rows.map((row) => row.productId);
}

async function readItems(
  trx: Transaction<Database>,
  { merchantId }: FeedRequest,
  account: FeedAccount,
  productIds: readonly string[],
  findSale: FindSale,
): Promise<FeedItem[]> {
  if (productIds.length === 0) return [];
  const products = await trx
    .selectFrom('products')
    .select(['product_id as productId', 'attributes'])
    .where('merchant_id', '=', merchantId)
    .where('product_id', 'in', productIds)
    .where('deleted_at', 'is', null)
    .orderBy('product_id')
    .execute();
  const variants = Map.groupBy(await readVariants(trx, merchantId, productIds), ({ productId }) => productId);
  return products.flatMap((product) =>
    itemsOf({ ...product, variants: variants.get(product.productId) ?? [] }, account, findSale),
  );
}

/** What a page changes: nothing for an item that is on its way as it is, unless everything is to be sent again. */
function compare(
  { account, network, run }: Feed,
  mode: FeedRequest['mode'],
  items: readonly FeedItem[],
  held: ReadonlyMap<string, HeldItem>,
  givenUp: ReadonlySet<number>,
): ItemChange[] {
  const stands = (item: HeldItem | undefined, hash: string, ...states: HeldItem['state'][]): boolean =>
    item !== undefined && item.contentHash === hash && states.includes(item.state) && !givenUp.has(item.run);
  const changes: ItemChange[] = [];
  for (const item of items) {
    const issues = validateItem(network, item);
    const { itemId, productId } = item;
    const before = held.get(itemId);
    if (!isSendable(issues)) {
      const hash = contentHash(['invalid', issues]);
      changes.push({ itemId, productId, hash, expected: {}, state: 'invalid', issues, line: undefined });
      continue;
    }
    const { body, expected } = describeItem(account, item, run);
    const hash = contentHash(describeItem(account, item, 0).body);
    if (mode === 'delta' && stands(before, hash, 'pending', 'submitted', 'accepted')) continue;
    changes.push({ itemId, productId, hash, expected, state: 'pending', issues, line: { item: itemId, body } });
  }
  const offered = new Set(items.map(({ itemId }) => itemId));
  for (const [itemId, { productId, state, run: heldRun, everSent }] of held) {
    if (offered.has(itemId) || state === 'removed') continue;
    if (mode === 'delta' && state === 'removing' && !givenUp.has(heldRun)) continue;
    const gone = { itemId, productId, hash: '', expected: {}, issues: [] };
    if (everSent) changes.push({ ...gone, state: 'removing', line: { item: itemId, remove: true } });
    else changes.push({ ...gone, state: 'removed', line: undefined });
  }
  return changes;
}

async function insertPart(
  db: Kysely<Database>,
  { merchantId, feedId }: FeedRequest,
  { run, parts }: BuiltFeed,
  lines: readonly FeedLine[],
): Promise<void> {
  await db
    .insertInto('feed_parts')
    .values({
      merchant_id: merchantId,
      feed_id: feedId,
      run,
      part: parts,
      items: lines.length,
      body: await packPart(lines),
    })
    .execute();
}

async function endRun(
  db: Kysely<Database>,
  { merchantId, feedId }: FeedRequest,
  { run, items, removals, invalid, parts }: BuiltFeed,
  now: number,
): Promise<void> {
  await db
    .updateTable('feed_runs')
    .set({ items, removals, invalid, parts, ready_at: new Date(now) })
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .where('run', '=', run)
    .execute();
}
