import fc from 'fast-check';
import type { Transaction } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { countOfferDiscounts } from './count-offer-discounts.ts';
import { type StackedOffer, reducePrice } from './discount.ts';
import { findSales } from './find-sales.ts';
import { turnOffers } from './turn-offers.ts';
import { type OfferFields, createOffer } from './writes.ts';
import { orderDataAttributedToAdPayload } from '../analytics/events.ts';
import type { Database } from '../../database/tables.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { assertOrderIrrelevant } from '../../testing/shuffle.ts';
import { type World, createWorld } from '../../testing/world.ts';

const at = (hour: number): number => Date.parse('2026-11-23T00:00:00.000Z') + hour * 3_600_000;
const iso = (hour: number): string => new Date(at(hour)).toISOString();
const within = <T>({ postgres }: World, work: (trx: Transaction<Database>) => Promise<T>) =>
  postgres.db.transaction().execute(work);

const create = (world: World, name: string, more: Partial<OfferFields> = {}, merchantId = 'shop-1') =>
  within(world, (trx) =>
    createOffer(
      trx,
      merchantId,
      {
        name,
        state: 'scheduled',
        discount: { kind: 'percent', basisPoints: 1_000 },
        eligibility: {},
        stacking: 'exclusive',
        priority: 100,
        startsAt: iso(5),
        endsAt: iso(9),
        currency: 'EUR',
        campaignIds: [],
        ...more,
      },
      at(1),
    ),
  );
/** Every page, as the schedule works them; the happenings that were told. */
const turn = async (world: World, hour: number, limit = 100): Promise<string[]> => {
  const told: string[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const turnOf: { after: string; limit: number; nowMs: number } = { after, limit, nowMs: at(hour) };
    const page = await within(world, (trx) => turnOffers(trx, turnOf));
    for (const { payload } of page.events) {
      if (payload['templateId'] !== undefined) {
        told.push(JSON.stringify([payload['templateId'], payload['payloadForTemplate']]));
        continue;
      }
      const { name, endedBy } = payload['data'] as { name: string; endedBy: string | null };
      told.push(`${name} ${String(payload['webhookType'])} ${endedBy ?? ''}`.trim());
    }
    after = page.next;
  }
  return told;
};
const order = (n: number, discounts: { offerId: string; amountMinor: number }[] | undefined, more = {}) =>
  lanewayEvent(
    n,
    orderDataAttributedToAdPayload.parse({
      orderId: 'o-1',
      orderedAt: iso(6),
      status: 'placed',
      totalMinor: 10_000,
      currency: 'EUR',
      touches: [],
      timestamp: new Date(at(6) + n * 1_000).toISOString(),
      discounts,
      ...more,
    }),
  );

test('stackable offers are taken off one after the other, an exclusive one alone, and the buyer gets the better price', () => {
  const offer = (offerId: string, discount: StackedOffer['discount'], more: Partial<StackedOffer> = {}) => ({
    offerId,
    discount,
    stacking: 'stackable' as const,
    priority: 100,
    ...more,
  });
  const percent = offer('percent', { kind: 'percent', basisPoints: 1_000 });
  const amount = offer('amount', { kind: 'amount', amountMinor: 500 }, { priority: 1 });
  const alone = offer('alone', { kind: 'price', priceMinor: 8_600 }, { stacking: 'exclusive' });
  const prices = (offers: StackedOffer[], price = 9_999) => {
    const { priceMinor, taken } = reducePrice(price, offers);
    return [priceMinor, ...taken.map(({ offer: { offerId }, amountMinor }) => `${offerId} ${amountMinor}`)];
  };
  assert.equal(prices([percent, amount]), [8_550, 'amount 500', 'percent 949']);
  assert.equal(prices([percent, amount, alone]), [8_550, 'amount 500', 'percent 949']);
  assert.equal(prices([percent, alone]), [8_600, 'alone 1399']);
  assert.equal(prices([alone], 8_600), [8_600]);
  assert.equal(prices([amount], 300), [1, 'amount 299']);
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.shuffledSubarray([percent, amount, alone]), (price, offers) => {
      const { priceMinor, taken } = reducePrice(price, offers);
      assert.is(
        price - priceMinor,
        taken.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
      );
      assert.equal(prices(offers, price), prices(offers.toReversed(), price));
    }),
  );
});

test('an offer starts and ends once, at its times; one whose time went by unseen is not told of', async () => {
  await using world = await createWorld();
  await create(world, 'a');
  await create(world, 'open', { endsAt: null }, 'shop-2');
  await create(world, 'early', { endsAt: iso(5.5) }, 'shop-3');
  assert.equal(await turn(world, 4), []);
  assert.equal(await turn(world, 6, 1), ['a offer.started', 'open offer.started']);
  assert.equal(await turn(world, 6), []);
  assert.equal(await turn(world, 9), ['a offer.ended schedule']);
  assert.equal(await turn(world, 9), []);
  const { db } = world.postgres;
  const versions = await db.selectFrom('sales_versions').selectAll().orderBy('merchant_id').execute();
  assert.equal(
    versions.map(({ merchant_id, version }) => [merchant_id, version]),
    [
      ['shop-1', 3],
      ['shop-2', 2],
      ['shop-3', 2],
    ],
  );
});

test('orders spend a budget whatever the order they come in; spent, the offer ends and no feed shows its price', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const offerId = await create(world, 'capped', { budgetMinor: 1_000 });
  await turn(world, 6);
  const takes = (amountMinor: number) => [{ offerId, amountMinor }];
  const events = [
    order(1, takes(400)),
    order(2, takes(700)),
    order(3, undefined, { orderId: 'o-2' }),
    order(4, [...takes(100), ...takes(200), { offerId: 'unknown', amountMinor: 9 }], { orderId: 'o-2' }),
    order(5, takes(5_000), { orderId: 'o-3', currency: 'USD' }),
    order(6, takes(600), { orderId: 'o-4' }),
    order(7, takes(600), { orderId: 'o-4', status: 'cancelled' }),
  ];
  const { once, twice } = await runTwice(world, countOfferDiscounts, events, ['offers', 'offer_discounts']);
  assert.is(twice, once);
  const spent = async () => {
    const row = await db.selectFrom('offers').select(['state', 'spent_minor', 'ended_by']).executeTakeFirstOrThrow();
    return [row.state, row.spent_minor, row.ended_by];
  };
  assert.equal(await spent(), ['running', 1_000, null]);
  const price = async (hour: number) =>
    (await findSales(db, 'shop-1', at(hour))).findSale({
      productId: 'p',
      brand: undefined,
      priceMinor: 1_000,
      currency: 'EUR',
    })?.priceMinor;
  assert.is(await price(7), undefined);
  await runHandler(db, countOfferDiscounts, [order(8, takes(600), { status: 'cancelled' })]);
  assert.equal([await spent(), await price(7)], [['running', 300, null], 900]);
  await runHandler(db, countOfferDiscounts, [order(9, takes(701))]);
  assert.equal(await turn(world, 7), [
    'capped offer.ended budget',
    '["offer-budget-spent",{"offerName":"capped","amount":"10.01 EUR"}]',
  ]);
  assert.equal(await spent(), ['ended', 1_001, 'budget']);
  const inAnyOrder = fc.constant(events.map((event) => ({ handler: countOfferDiscounts, event })));
  await assertOrderIrrelevant(world, inAnyOrder, ['discounted_orders', 'offer_discounts'], { numRuns: 15 });
  const [sum] = await db
    .selectFrom('offer_discounts')
    .select((s) => s.fn.sum('amount_minor').as('all'))
    .execute();
  assert.is(Number(sum?.all), 700 + 300 + 9 + 5_000);
});

test('feeds get the price of what runs, else of what comes next, with its dates, and only prices that everybody gets', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const sale = async (hour: number, item = {}) => {
    const { findSale } = await findSales(db, 'shop-1', at(hour));
    const found = findSale({ productId: 'p', brand: 'Nordwind', priceMinor: 10_000, currency: 'EUR', ...item });
    return found && [found.priceMinor, found.startsAt.toISOString(), found.endsAt?.toISOString()];
  };
  assert.is(await sale(2), undefined);
  await create(world, 'a', { stacking: 'stackable' });
  await create(world, 'b', {
    stacking: 'stackable',
    startsAt: iso(6),
    endsAt: null,
    eligibility: { brands: ['Nordwind'] },
  });
  await create(world, 'code', { eligibility: { code: 'X' }, discount: { kind: 'percent', basisPoints: 5_000 } });
  await create(world, 'next', { startsAt: iso(3), eligibility: { productIds: ['q'] } });
  await create(world, 'elsewhere', { startsAt: iso(1.5) }, 'shop-2');
  assert.equal(await sale(2), [9_000, iso(5), iso(9)]);
  assert.equal(await sale(7), [8_100, iso(6), iso(9)]);
  assert.equal(await sale(7, { brand: undefined }), [9_000, iso(5), iso(9)]);
  assert.equal(await sale(10), [9_000, iso(6), undefined]);
  assert.is(await sale(7, { currency: 'USD' }), undefined);
  assert.is(await sale(7, { priceMinor: undefined }), undefined);
});

test.run();
