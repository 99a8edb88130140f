import type { Kysely } from 'kysely';
import { type FeedAccount, feedAccount } from '../../core/contexts/catalog/feeds/feed-account.ts';
import type { FeedItem } from '../../core/contexts/catalog/feeds/feed-item.ts';
import { packPart } from '../../core/contexts/catalog/feeds/feed-lines.ts';
import { googleProductInput } from '../../core/contexts/catalog/feeds/google-product.ts';
import { metaProduct } from '../../core/contexts/catalog/feeds/meta-product.ts';
import type { Database } from '../../core/database/tables.ts';
import type { LoadEvent } from './load-event.ts';

const rowsAtOnce = 500;

interface Run {
  readonly merchantId: string;
  readonly feedId: string;
  readonly network: string;
  readonly run: number;
}

/** The feeds of a load as if they had been built: each run that an event says is ready, with one item. */
export async function prepareFeeds(db: Kysely<Database>, load: readonly LoadEvent[], nowMs: number): Promise<void> {
  const runs = new Map<string, Run>();
  for (const { merchantId, event } of load) {
    if (event.eventType !== 'ProductCatalogFeedReadyForSubmissionEvent') continue;
    const { feedId, feedRun, adNetworkId } = event.payload;
    const run = { merchantId, feedId: String(feedId), network: String(adNetworkId), run: Number(feedRun) };
    runs.set(JSON.stringify([merchantId, feedId, feedRun]), run);
  }
  const all = [...runs.values()];
  const merchants = new Map([...new Set(all.map(({ merchantId }) => merchantId))].map((id, index) => [id, index]));
  for (let from = 0; from < all.length; from += rowsAtOnce) {
    const page = all.slice(from, from + rowsAtOnce);
    const rows = await Promise.all(page.map((run) => rowsOf(run, merchants.get(run.merchantId) ?? 0, new Date(nowMs))));
    await db.transaction().execute(async (trx) => {
      await trx
        .insertInto('catalog_feeds')
        .values(rows.map(({ feed }) => feed))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await trx
        .insertInto('feed_runs')
        .values(rows.map(({ run }) => run))
        .execute();
      await trx
        .insertInto('feed_parts')
        .values(rows.map(({ part }) => part))
        .execute();
      await trx
        .insertInto('feed_items')
        .values(rows.map(({ item }) => item))
        .execute();
    });
  }
}

async function rowsOf({ merchantId, feedId, network, run }: Run, number: number, now: Date) {
  const key = { merchant_id: merchantId, feed_id: feedId };
  const itemId = `sku-${run}`;
  const account = accountOf(network, number);
  const line = { item: itemId, body: bodyOf(account, itemOf(itemId), run) };
  return {
    feed: {
      ...key,
      network: account.network,
      account: JSON.stringify(account),
      refresh_minutes: 1_440,
      full_refresh_hours: 24,
      created_at: now,
      updated_at: now,
    },
    run: {
      ...key,
      run,
      mode: run === 1 ? ('full' as const) : ('delta' as const),
      state: 'ready' as const,
      build_key: `load-${run}`,
      items: 1,
      parts: 1,
      created_at: now,
      ready_at: now,
    },
    part: { ...key, run, part: 1, items: 1, body: await packPart([line]), submitted_at: null },
    item: {
      ...key,
      item_id: itemId,
      product_id: itemId,
      run,
      content_hash: itemId,
      expected: '{}',
      state: 'pending' as const,
      issues: '[]',
      submitted_at: null,
      checked_at: null,
      updated_at: now,
    },
  };
}

const accountOf = (network: string, number: number): FeedAccount =>
  feedAccount.parse(
    network === 'google_merchant'
      ? {
          network,
          merchantCenterId: `center-${number}`,
          dataSourceId: 'source',
          contentLanguage: 'en',
          feedLabel: 'US',
        }
      : { network, catalogId: String(1_000 + number) },
  );

function bodyOf(account: FeedAccount, item: FeedItem, run: number): Record<string, unknown> {
  switch (account.network) {
    case 'google_merchant':
      return googleProductInput(account, item, run);
    case 'meta_catalog':
      return metaProduct(item);
    default:
      return account satisfies never;
  }
}

const itemOf = (itemId: string): FeedItem => ({
  itemId,
  productId: itemId,
  itemGroupId: undefined,
  title: `Trail shoe ${itemId}`,
  description: 'A shoe for trails.',
  link: `https://shop.example.org/${itemId}`,
  imageLink: `https://shop.example.org/${itemId}.png`,
  brand: 'Nordwind',
  gtin: undefined,
  mpn: itemId,
  condition: 'new',
  availability: 'in_stock',
  availabilityDate: undefined,
  priceMinor: 8_999,
  currency: 'EUR',
  identifierExists: true,
  sale: undefined,
});
