import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFeedBuildDriver } from './build-driver.ts';
import type { FeedAccount } from './feed-account.ts';
import { changeFeedState, createFeed, listFeedItems, readFeeds, requestRun } from './feed-rows.ts';
import { noSales } from './sales.ts';
import { startDueFeeds } from './start-due-feeds.ts';
import { createFeedSubmitDriver } from './submit-driver.ts';
import { submitProductCatalogFeed } from './submit-product-catalog-feed.ts';
import { handleProductCoreUpdate } from '../handle-product-core-update.ts';
import type { EffectCall } from '../../../events/destination.ts';
import type { Emission } from '../../../events/handler.ts';
import { runTwice } from '../../../testing/duplicate.ts';
import { lanewayEvent, runHandler } from '../../../testing/run-handler.ts';
import { type World, createWorld } from '../../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const MINUTE = 60_000;

const complete = {
  title: 'Trail shoe',
  description: 'For mud',
  link: 'https://shop.example/1',
  imageLink: 'https://shop.example/1.jpg',
  brand: 'Nordwind',
  gtin: '4006381333931',
  priceMinor: 8_999,
  currency: 'EUR',
  availability: 'in_stock',
};

/** A merchant's catalog with one feed, and the steps that engine and schedule would take. */
async function setUp(network: FeedAccount['network'] = 'google_merchant') {
  const world: World = await createWorld();
  const { db } = world.postgres;
  const number = String(BigInt(`0x${world.stack.slice(1)}`));
  const account: FeedAccount =
    network === 'google_merchant'
      ? { network, merchantCenterId: number, dataSourceId: '9', contentLanguage: 'en', feedLabel: 'US' }
      : { network, catalogId: number };
  const at = { ms: NOON };
  const clock = { now: () => at.ms, sleep: () => Promise.resolve() };
  const token = () => Promise.resolve('t');
  const build = createFeedBuildDriver({ db, readSales: noSales, clock });
  const submit = createFeedSubmitDriver({
    db,
    clock,
    merchantApi: { baseUrl: `${world.networksUrl}/merchant-api`, token },
    metaCatalog: { baseUrl: `${world.networksUrl}/meta-catalog`, token },
  });
  const feedId = await db
    .transaction()
    .execute((trx) => createFeed(trx, 'shop-1', { account, refreshMinutes: 15, fullRefreshHours: 24 }, NOON));
  const emissions: Emission[] = [];
  /** What merchants and their apps are told. */
  const told: Emission[] = [];
  let n = 0;

  const callOf = (objectKey: string, desired: Record<string, unknown>): EffectCall => ({
    merchantId: 'shop-1',
    destination: `product-feed:${network}`,
    objectKey,
    version: 1,
    desired,
    externalId: undefined,
    idempotencyKey: `key-${(n += 1)}`,
    eventId: 'event-1',
    correlationId: 'cor',
    traceparent: 'tp',
  });
  const carryOut = async (driver: typeof build, call: EffectCall) => {
    const result = await driver.send(call, new AbortController().signal);
    const context = {
      now: at.ms,
      emit: (emission: Emission) =>
        void (emission.eventType === 'ProductCatalogFeedReadyForSubmissionEvent' ? emissions : told).push(emission),
      intend: () => undefined,
    };
    await db.transaction().execute((trx) => driver.recordSuccess(trx, call, result, undefined, context));
    return result;
  };
  const runDue = async () => {
    await db.transaction().execute((trx) => startDueFeeds(trx, { nowMs: at.ms, after: '', limit: 10 }));
    const due = await db
      .selectFrom('intents')
      .selectAll()
      .where('state', '=', 'pending')
      .orderBy('destination')
      .execute();
    await db.updateTable('intents').set({ state: 'done' }).execute();
    for (const { destination, object_key, desired } of due) {
      await carryOut(destination === 'product-feed-build' ? build : submit, callOf(object_key, desired));
    }
    return due.map(({ destination, desired }) => `${destination} ${JSON.stringify(desired)}`);
  };
  return {
    world,
    db,
    feedId,
    at,
    build,
    submit,
    emissions,
    told,
    callOf,
    carryOut,
    runDue,
    async change(
      productId: string,
      changedAttributes: Record<string, unknown>,
      operationType: 'update' | 'delete' = 'update',
    ) {
      n += 1;
      const timestamp = new Date(NOON + n * 1_000).toISOString();
      await runHandler(db, handleProductCoreUpdate, [
        lanewayEvent(n, { productId, operationType, timestamp, changedAttributes }),
      ]);
    },
    /** The events that were emitted since, handled, and their parts submitted. */
    async submitEmitted() {
      for (const { payload } of emissions.splice(0)) {
        const run = await runHandler(db, submitProductCatalogFeed, [lanewayEvent((n += 1), payload)]);
        for (const { objectKey, desired } of run.intents) await carryOut(submit, callOf(objectKey, desired));
      }
    },
    async items() {
      const { items } = await db.transaction().execute((trx) => listFeedItems(trx, 'shop-1', { feedId, limit: 100 }));
      return items.map(({ itemId, state, issues }) => [itemId, state, ...issues.map(({ code }) => code)].join(' '));
    },
    showAtOnce: () =>
      fetch(`${world.networksUrl}/_feeds/control`, {
        method: 'POST',
        body: JSON.stringify({ account: number, showAfterMs: 0 }),
      }),
    async taken(): Promise<string[]> {
      const response = await fetch(`${world.networksUrl}/_feeds/log?account=${number}`);
      const { calls } = (await response.json()) as { calls: { op: string; item: string }[] };
      return calls.map(({ op, item }) => `${op} ${item.split('~').at(-1)}`);
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

for (const network of ['google_merchant', 'meta_catalog'] as const) {
  test(`${network}: a feed submits everything once, then what changed, and knows what became of each item`, async () => {
    await using feed = await setUp(network);
    await feed.showAtOnce();
    await feed.change('a', complete);
    await feed.change('b', { ...complete, imageLink: '' });
    await feed.change('c', {
      ...complete,
      variants: [{ variantId: 'red' }, { variantId: 'blue', title: 'disapproved' }],
    });
    assert.equal(await feed.runDue(), ['product-feed-build {"mode":"full"}']);
    assert.equal(
      feed.emissions.map(({ eventType, payload }) => [
        eventType,
        payload['feedRun'],
        payload['itemCount'],
        payload['invalidCount'],
      ]),
      [['ProductCatalogFeedReadyForSubmissionEvent', 1, 3, 1]],
    );
    assert.is((await feed.db.selectFrom('feed_changes').selectAll().execute()).length, 0);
    await feed.submitEmitted();
    assert.equal(await feed.items(), [
      'a submitted',
      'b invalid imageLink.missing',
      'c.-blue submitted',
      'c.-red submitted',
    ]);
    feed.at.ms += 5 * MINUTE;
    assert.equal(await feed.runDue(), [`product-feed:${network} {"kind":"check","feedId":"${feed.feedId}"}`]);
    const blue = (await feed.items())[2] ?? '';
    assert.match(blue, /^c\.-blue rejected network\./);
    assert.equal(
      feed.told.splice(0).map(({ payload }) => payload['data'] ?? payload['payloadForTemplate']),
      [
        { feedId: feed.feedId, network, count: 1 },
        { feedId: feed.feedId, network, count: 1 },
      ],
    );
    assert.equal([(await feed.items())[0], (await feed.items())[3]], ['a accepted', 'c.-red accepted']);

    // Only what changed goes out; what is no longer offered is removed; what was never sent needs no removal.
    await feed.change('a', { priceMinor: 7_999 });
    await feed.change('c', { variants: [{ variantId: 'red', deleted: true }] });
    await feed.change('b', {}, 'delete');
    feed.at.ms += 10 * MINUTE;
    assert.equal(await feed.runDue(), ['product-feed-build {"mode":"delta"}']);
    const before = (await feed.taken()).length;
    await feed.submitEmitted();
    assert.equal((await feed.taken()).slice(before).toSorted(), ['put a', 'put c.-blue', 'remove c.-red']);
    assert.equal(
      (await feed.items()).map((line) => line.split(' ', 2).join(' ')),
      ['a submitted', 'b removed', 'c.-blue submitted', 'c.-red removed'],
    );
    // Nothing changed: nothing is due but the check.
    feed.at.ms += 15 * MINUTE;
    assert.equal(await feed.runDue(), [`product-feed:${network} {"kind":"check","feedId":"${feed.feedId}"}`]);
  });
}

test('a run that was given up is taken over by the next one, which builds its items again', async () => {
  await using feed = await setUp();
  await feed.change('a', complete);
  const call = feed.callOf(feed.feedId, { mode: 'delta' });
  await feed.build.send(call, new AbortController().signal);
  // Its outcome was never recorded. It is found by the key of its request, and a new request builds the item again.
  assert.is((await feed.build.probe(call, new AbortController().signal))?.actual['items'], 1);
  const { actual } = await feed.carryOut(feed.build, feed.callOf(feed.feedId, { mode: 'delta' }));
  assert.equal([actual['run'], actual['items']], [2, 1]);
  assert.is((await feed.db.selectFrom('feed_changes').selectAll().execute()).length, 0);
});

test('what changes while a run has the change before belongs to the next run', async () => {
  await using feed = await setUp();
  await feed.change('a', complete);
  const call = feed.callOf(feed.feedId, { mode: 'delta' });
  const result = await feed.build.send(call, new AbortController().signal);
  await feed.change('a', { priceMinor: 1 });
  const context = { now: NOON, emit: () => undefined, intend: () => undefined };
  await feed.db.transaction().execute((trx) => feed.build.recordSuccess(trx, call, result, undefined, context));
  assert.is((await feed.db.selectFrom('feed_changes').selectAll().execute()).length, 1);
});

test('an older run never sends what a newer one says about an item', async () => {
  // Meta would take it: it knows no versions.
  await using feed = await setUp('meta_catalog');
  await feed.change('a', complete);
  await feed.change('b', complete);
  await feed.carryOut(feed.build, feed.callOf(feed.feedId, { mode: 'full' }));
  await feed.change('a', { priceMinor: 500 });
  await feed.carryOut(feed.build, feed.callOf(feed.feedId, { mode: 'delta' }));
  feed.emissions.reverse();
  await feed.submitEmitted();
  assert.equal(await feed.taken(), ['put a', 'put b']);
});

test('submitting is asked for once for each part, however often the event comes', async () => {
  await using feed = await setUp();
  await feed.change('a', complete);
  await feed.carryOut(feed.build, feed.callOf(feed.feedId, { mode: 'full' }));
  const events = feed.emissions.map(({ payload }, i) => lanewayEvent(i + 1, payload));
  const { first, second, once, twice } = await runTwice(feed.world, submitProductCatalogFeed, events, ['feed_runs']);
  assert.is(twice, once);
  assert.equal([first.intents.length, second.intents.length, second.outcomes[0]?.kind], [1, 0, 'skip']);
});

test('a catalog of many pages is built completely, in parts', async () => {
  await using feed = await setUp('meta_catalog');
  const events = Array.from({ length: 1_203 }, (_, i) =>
    lanewayEvent(i + 1, {
      productId: `sku-${String(i).padStart(5, '0')}`,
      operationType: 'create',
      timestamp: '2026-11-23T10:00:00.000Z',
      changedAttributes: complete,
    }),
  );
  await runHandler(feed.db, handleProductCoreUpdate, events);
  const { actual } = await feed.carryOut(feed.build, feed.callOf(feed.feedId, { mode: 'full' }));
  assert.equal([actual['items'], actual['parts']], [1_203, 2]);
  const parts = await feed.db.selectFrom('feed_parts').select(['part', 'items']).orderBy('part').execute();
  assert.equal(parts, [
    { part: 1, items: 1_000 },
    { part: 2, items: 203 },
  ]);
  assert.is((await feed.items()).length, 100);
});

test('a part that is given up marks its items, and an item that is never shown is sent again', async () => {
  await using feed = await setUp('meta_catalog');
  await feed.change('a', { ...complete, title: 'dropped without a word' });
  await feed.runDue();
  await feed.submitEmitted();
  feed.at.ms += 20 * MINUTE;
  await feed.runDue();
  assert.equal(await feed.items(), ['a submitted']);
  feed.at.ms += 60 * MINUTE;
  await feed.runDue();
  assert.equal(await feed.items(), ['a rejected network.not_shown']);
  feed.at.ms += 20 * MINUTE;
  assert.equal(await feed.runDue(), ['product-feed-build {"mode":"delta"}']);
  assert.is(feed.emissions.length, 1);
});

test('a paused feed begins again with everything; runs that are asked for are due at once', async () => {
  await using feed = await setUp();
  const { db, feedId } = feed;
  const inTrx = <T>(
    work: (trx: Parameters<Parameters<ReturnType<typeof db.transaction>['execute']>[0]>[0]) => Promise<T>,
  ) => db.transaction().execute(work);
  await feed.runDue();
  await inTrx((trx) => changeFeedState(trx, 'shop-1', { feedId, state: 'paused' }, NOON));
  feed.at.ms += 24 * 60 * MINUTE;
  assert.equal(await feed.runDue(), []);
  await inTrx((trx) => changeFeedState(trx, 'shop-1', { feedId, state: 'active' }, feed.at.ms));
  assert.equal(await feed.runDue(), ['product-feed-build {"mode":"full"}']);
  await inTrx((trx) => requestRun(trx, 'shop-1', { feedId, mode: 'full' }, feed.at.ms));
  assert.equal(await feed.runDue(), ['product-feed-build {"mode":"full"}']);
  assert.not(await inTrx((trx) => requestRun(trx, 'shop-2', { feedId, mode: 'full' }, feed.at.ms)));
  const [read] = await inTrx((trx) => readFeeds(trx, 'shop-1'));
  assert.equal([read?.state, read?.lastRun?.run, read?.lastRun?.mode], ['active', 3, 'full']);
});

test.run();
