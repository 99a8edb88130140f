import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { handleProductCoreUpdate } from './handle-product-core-update.ts';
import { getProduct, listProducts, readVariants } from './reads.ts';
import type { ProductCoreDataUpdated } from './events.ts';
import { mergeProducts } from './writes.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler, snapshot } from '../../testing/run-handler.ts';
import { createWorld } from '../../testing/world.ts';

const change = (
  n: number,
  operationType: ProductCoreDataUpdated['operationType'],
  second: number,
  changedAttributes: ProductCoreDataUpdated['changedAttributes'] = {},
  productId = 'sku-1',
) =>
  lanewayEvent(n, {
    productId,
    operationType,
    timestamp: `2026-11-23T10:00:${String(second).padStart(2, '0')}.000Z`,
    changedAttributes,
  });

test('changes of a product merge in order; the catalog ends as the core platform has it', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const events = [
    change(1, 'create', 1, { title: 'Shoe', priceMinor: 9_900, currency: 'EUR' }),
    change(2, 'update', 2, { priceMinor: 8_900, colour: 'red' }),
    change(3, 'create', 3, { title: 'Hat' }, 'sku-2'),
    change(4, 'delete', 4, {}, 'sku-2'),
  ];
  const { outcomes } = await runHandler(db, handleProductCoreUpdate, events);
  assert.equal(
    outcomes.map((o) => o.kind),
    ['done', 'done', 'done', 'done'],
  );
  await db.transaction().execute(async (trx) => {
    const shoe = await getProduct(trx, 'shop-1', 'sku-1');
    assert.equal([shoe?.title, shoe?.priceMinor, shoe?.currency, shoe?.revision], ['Shoe', 8_900, 'EUR', 2]);
    assert.equal(shoe?.attributes, { title: 'Shoe', priceMinor: 8_900, currency: 'EUR', colour: 'red' });
    assert.equal(
      (await listProducts(trx, 'shop-1', { limit: 10 })).items.map((p) => p.productId),
      ['sku-1'],
    );
    assert.is((await listProducts(trx, 'shop-1', { limit: 10, includeDeleted: true })).items.length, 2);
    assert.equal((await listProducts(trx, 'shop-1', { limit: 1, includeDeleted: true })).next, 'sku-1');
    assert.equal(await listProducts(trx, 'shop-2', { limit: 10 }), { items: [], next: undefined });
  });
});

test('an older change never overwrites a newer one, whether it comes in the same run or later', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const first = await runHandler(db, handleProductCoreUpdate, [
    change(1, 'update', 5, { title: 'new' }),
    change(2, 'update', 3, { title: 'old' }),
  ]);
  assert.equal(
    first.outcomes.map((o) => o.kind),
    ['done', 'skip'],
  );
  const later = await runHandler(db, handleProductCoreUpdate, [change(3, 'update', 4, { title: 'older' })]);
  assert.equal(later.outcomes, [
    { kind: 'skip', reason: 'superseded: the catalog holds a change of 2026-11-23T10:00:05.000Z' },
  ]);
  await db.transaction().execute(async (trx) => assert.is((await getProduct(trx, 'shop-1', 'sku-1'))?.title, 'new'));
});

test('of two changes of one moment the later accepted wins, and a change after a delete revives the product', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await runHandler(db, handleProductCoreUpdate, [
    change(1, 'update', 1, { title: 'a' }),
    change(2, 'update', 1, { title: 'b' }),
  ]);
  // Redriven: it happened at the same moment, and was accepted first.
  const redriven = await runHandler(db, handleProductCoreUpdate, [change(1, 'update', 1, { title: 'a' })]);
  assert.is(redriven.outcomes[0]?.kind, 'skip');
  await db.transaction().execute(async (trx) => assert.is((await getProduct(trx, 'shop-1', 'sku-1'))?.title, 'b'));
  await runHandler(db, handleProductCoreUpdate, [change(3, 'delete', 2), change(4, 'update', 3, { title: 'c' })]);
  await db.transaction().execute(async (trx) => {
    const product = await getProduct(trx, 'shop-1', 'sku-1');
    assert.equal([product?.title, product?.deletedAt], ['c', null]);
  });
});

const history = Array.from({ length: 40 }, (_, i) =>
  change(i, i % 7 === 6 ? 'delete' : 'update', (i * 7) % 50, { title: `t${i}`, [`a${i % 5}`]: i }, `sku-${i % 4}`),
);

test('a run in one statement ends as the same events one by one', async () => {
  await using world = await createWorld();
  await using other = await createWorld();
  await runHandler(world.postgres.db, handleProductCoreUpdate, history);
  await runHandler(other.postgres.db, handleProductCoreUpdate, history, { alone: true });
  assert.is(await snapshot(world.postgres.db, ['products']), await snapshot(other.postgres.db, ['products']));
});

test('handling changes again leaves the catalog as it was', async () => {
  await using world = await createWorld();
  const { once, twice } = await runTwice(world, handleProductCoreUpdate, history, ['products']);
  assert.is(twice, once);
});

test('a run may hold several merchants, and their equal product ids stay apart', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const of = (merchantId: string, n: number) => ({ ...change(n, 'update', n, { title: merchantId }), merchantId });
  await runHandler(db, handleProductCoreUpdate, [of('shop-2', 1), of('Shop-1', 1), of('shop-1', 1), of('shop-2', 2)]);
  const rows = await db
    .selectFrom('products')
    .select(['merchant_id', 'title', 'revision'])
    .orderBy('merchant_id')
    .execute();
  assert.equal(
    rows.map((row) => [row.merchant_id, row.title, row.revision]),
    [
      ['Shop-1', 'Shop-1', 1],
      ['shop-1', 'shop-1', 1],
      ['shop-2', 'shop-2', 2],
    ],
  );
});

test('variants merge by their own ids, are not attributes of the product, and end one by one', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const red = { variantId: 'red', gtin: '73513537', priceMinor: 100 };
  const events = [
    change(1, 'create', 1, { title: 'Shoe', variants: [red, { variantId: 'blue', priceMinor: 90 }] }),
    change(2, 'update', 2, { variants: [{ variantId: 'red', priceMinor: 80 }] }),
    change(3, 'update', 3, { variants: [{ variantId: 'blue', deleted: true }] }),
    change(4, 'update', 2, { variants: [{ variantId: 'red', priceMinor: 1 }] }),
  ];
  const { twice, once } = await runTwice(world, handleProductCoreUpdate, events, ['products', 'product_variants']);
  assert.is(twice, once);
  await db.transaction().execute(async (trx) => {
    assert.equal((await getProduct(trx, 'shop-1', 'sku-1'))?.attributes, { title: 'Shoe' });
    const variants = await readVariants(trx, 'shop-1', ['sku-1']);
    assert.equal(variants, [
      { productId: 'sku-1', variantId: 'red', attributes: { gtin: '73513537', priceMinor: 80 } },
    ]);
  });
});

test('a change is noted for every active feed of its merchant, also while a run has the one before', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const at = new Date('2026-11-23T10:00:00.000Z');
  const feed = {
    network: 'meta_catalog' as const,
    account: JSON.stringify({ network: 'meta_catalog', catalogId: '1' }),
    refresh_minutes: 15,
    full_refresh_hours: 24,
    created_at: at,
    updated_at: at,
  };
  await db
    .insertInto('catalog_feeds')
    .values([
      { ...feed, merchant_id: 'shop-1', feed_id: 'a' },
      { ...feed, merchant_id: 'shop-1', feed_id: 'b', state: 'paused' },
      { ...feed, merchant_id: 'shop-2', feed_id: 'c' },
    ])
    .execute();
  await runHandler(db, handleProductCoreUpdate, [change(1, 'create', 1, { title: 'Shoe' })]);
  const noted = () => db.selectFrom('feed_changes').selectAll().execute();
  const expected = { merchant_id: 'shop-1', feed_id: 'a', product_id: 'sku-1', taken_by: null };
  assert.equal(await noted(), [expected]);
  await db.updateTable('feed_changes').set({ taken_by: 7 }).execute();
  await runHandler(db, handleProductCoreUpdate, [change(2, 'update', 2, { title: 'Boot' })]);
  assert.equal(await noted(), [expected]);
});

test('the write itself refuses a change that is older than the row', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const write = (second: number, title: string) =>
    db.transaction().execute((trx) =>
      mergeProducts(
        trx,
        [
          {
            merchantId: 'shop-1',
            productId: 'sku-1',
            sourceAt: new Date(`2026-11-23T10:00:0${second}.000Z`),
            attributes: { title },
            deleted: false,
            changes: 1,
          },
        ],
        0,
      ),
    );
  await write(2, 'new');
  await write(1, 'old');
  await db.transaction().execute(async (trx) => assert.is((await getProduct(trx, 'shop-1', 'sku-1'))?.title, 'new'));
});

test.run();
