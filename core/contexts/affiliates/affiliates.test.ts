import fc from 'fast-check';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attributeAffiliateConversion } from './attribute-affiliate-conversion.ts';
import { type Affiliate, attribute, clawbackOf, commissionOf } from './attribute.ts';
import { affiliateConversionPayload } from './events.ts';
import { issueAffiliateStatements } from './issue-affiliate-statements.ts';
import { readBalances } from './reads.ts';
import { saveAffiliate, saveProgram } from './writes.ts';
import { runTwice } from '../../testing/duplicate.ts';
import { testKeyring } from '../../testing/keyring.ts';
import { lanewayEvent, runHandler } from '../../testing/run-handler.ts';
import { type World, createWorld } from '../../testing/world.ts';

const NOON = Date.parse('2026-11-23T12:00:00.000Z');
const tables = ['affiliate_conversions', 'affiliate_refunds', 'affiliate_transfers'] as const;

const at = (day: number) => new Date(Date.UTC(2026, 9, day, 12)).toISOString();
const click = (affiliateId: string, day: number) => ({ affiliateId, clickedAt: at(day) });

const order = (n: number, changes: Record<string, unknown> = {}) =>
  lanewayEvent(
    n,
    affiliateConversionPayload.parse({
      orderId: 'o-1',
      conversionType: 'purchase',
      amountMinor: 9_999,
      currency: 'EUR',
      timestamp: at(20),
      touchpoints: [click('blog', 10), click('video', 15)],
      ...changes,
    }),
    { eventType: 'AffiliateConversionAttributionRequiredEvent' },
  );
const refund = (n: number, amountMinor: number, changes: Record<string, unknown> = {}) =>
  order(n, {
    conversionType: 'refund',
    amountMinor,
    refundId: `r-${n}`,
    touchpoints: undefined,
    timestamp: at(25),
    ...changes,
  });

async function setUp() {
  const world = await createWorld();
  const { db } = world.postgres;
  await db.transaction().execute(async (trx) => {
    for (const [affiliateId, commissionPpm] of [
      ['blog', 50_000],
      ['video', 100_000],
    ] as const) {
      const affiliate = { affiliateId, name: affiliateId, commissionPpm, customerRef: `c-${affiliateId}` };
      await saveAffiliate(trx, testKeyring, 'shop-1', { ...affiliate, state: 'active' }, NOON);
    }
  });
  return world;
}

const balances = async ({ postgres: { db } }: World) =>
  (await readBalances(db, 'shop-1')).map(
    (row) =>
      `${row.affiliateId} +${row.commissionMinor} -${row.clawbackMinor} -${row.paidOutMinor} = ${row.balanceMinor}`,
  );

test('the last click within the window counts, or the first where the program says so; what is unknown or late does not', () => {
  const known: ReadonlyMap<string, Affiliate> = new Map(
    ['a', 'b'].map((affiliateId) => [
      affiliateId,
      { affiliateId, name: '', commissionPpm: 1, customerSubject: null, customerRef: null },
    ]),
  );
  const day = 86_400_000;
  const who = (clicks: [string, number][], rule: 'last_click' | 'first_click') =>
    attribute(
      clicks.map(([affiliateId, clickedAtMs]) => ({ affiliateId, clickedAtMs })),
      known,
      100 * day,
      { windowDays: 30, rule },
    )?.affiliateId;
  const clicks: [string, number][] = [
    ['a', 70 * day - 1],
    ['a', 70 * day],
    ['b', 99 * day],
    ['unknown', 99.5 * day],
    ['a', 100 * day + 1],
  ];
  assert.equal([who(clicks, 'last_click'), who(clicks, 'first_click')], ['b', 'a']);
  assert.equal([who([['b', 1], ...clicks.slice(3)], 'last_click'), who([], 'first_click')], [undefined, undefined]);
  const tied: [string, number][] = [
    ['b', 99 * day],
    ['a', 99 * day],
  ];
  assert.equal([who(tied, 'last_click'), who(tied.toReversed(), 'last_click')], ['a', 'a']);
});

test('a commission is rounded half up, and all of it goes back with the whole order, however it is refunded', () => {
  assert.equal([commissionOf(9_999, 50_000), commissionOf(10, 50_000), commissionOf(9, 50_000)], [500, 1, 0]);
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.array(fc.nat(100_000), { minLength: 1 }), (commission, parts) => {
      const amount = parts.reduce((sum, part) => sum + part, 0);
      let [refunded, before] = [0, 0];
      for (const part of parts) {
        refunded += part;
        const now = clawbackOf(commission, amount, refunded);
        assert.ok(now >= before);
        before = now;
      }
      assert.is(before, amount === 0 ? 0 : commission);
      assert.is(clawbackOf(commission, amount, amount * 2), amount === 0 ? 0 : commission);
    }),
  );
});

test('an order is credited to the affiliate that brought it, and refunds take their share back', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const run = await runHandler(db, attributeAffiliateConversion, [
    order(1),
    refund(2, 3_333),
    order(3, { orderId: 'o-2', touchpoints: [click('video', 30)] }),
    refund(4, 3_333),
    refund(5, 9_999),
  ]);
  assert.equal(
    run.outcomes.map((outcome) => (outcome.kind === 'skip' ? outcome.reason : outcome.kind)),
    ['done', 'done', 'no affiliate brought this order', 'done', 'done'],
  );
  assert.equal(await balances(world), ['video +1000 -1000 -0 = 0']);
  const rows = await db.selectFrom('affiliate_transfers').selectAll().orderBy('transfer_id').execute();
  assert.equal(
    rows.map(({ transfer_id, debit_account, credit_account, amount_minor }) => [
      transfer_id,
      debit_account,
      credit_account,
      amount_minor,
    ]),
    [
      ['clawback:o-1:1000', 'payable:video', 'commission-expense', 333],
      ['clawback:o-1:333', 'payable:video', 'commission-expense', 333],
      ['clawback:o-1:667', 'payable:video', 'commission-expense', 334],
      ['commission:o-1', 'commission-expense', 'payable:video', 1_000],
    ],
  );
});

test('a program with first click and a short window decides otherwise', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  await db.transaction().execute((trx) => saveProgram(trx, 'shop-1', { windowDays: 14, rule: 'first_click' }, NOON));
  const links = [click('blog', 2), click('blog', 7), click('video', 15)];
  await runHandler(db, attributeAffiliateConversion, [order(1, { touchpoints: links })]);
  assert.equal(await balances(world), ['blog +500 -0 -0 = 500']);
});

test('clicks that our own redirect recorded count like those that the shop remembers', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const row = { merchant_id: 'shop-1', code: 'x', visitor_hash: 'v', affiliate_id: 'blog' };
  await db
    .insertInto('affiliate_clicks')
    .values({ ...row, click_id: 'k-1', clicked_at: new Date(at(18)) })
    .execute();
  await runHandler(db, attributeAffiliateConversion, [order(1, { clickIds: ['k-1', 'none'] })]);
  assert.equal(await balances(world), ['blog +500 -0 -0 = 500']);
});

test('who orders for itself earns nothing and is flagged; so is an hour with too many orders', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const own = await runHandler(db, attributeAffiliateConversion, [order(1, { customerRef: 'c-video' })]);
  assert.equal(own.outcomes, [{ kind: 'skip', reason: 'the affiliate ordered for itself' }]);
  const many = Array.from({ length: 52 }, (_, index) =>
    order(index + 2, { orderId: `many-${index}`, touchpoints: [click('blog', 1)] }),
  );
  const run = await runHandler(db, attributeAffiliateConversion, many);
  assert.equal([own.emissions.length, run.emissions.length], [1, 1]);
  const flags = await db.selectFrom('affiliate_flags').selectAll().orderBy('kind').execute();
  assert.equal(
    flags.map(({ affiliate_id, kind, subject }) => [affiliate_id, kind, subject]),
    [
      ['blog', 'conversion_burst', '2026-10-20T12:00:00.000Z'],
      ['video', 'self_referral', 'o-1'],
    ],
  );
  assert.equal(await balances(world), ['blog +26000 -0 -0 = 26000']);
});

test('a statement pays what is owed once; a refund after it is carried into the next', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  const cycle = (n: number, billingPeriod: string) =>
    lanewayEvent(n, { merchantId: 'shop-1', billingPeriod, timestamp: '2026-12-01T00:00:00.000Z' });
  await runHandler(db, attributeAffiliateConversion, [order(1), refund(2, 3_333)]);
  await runHandler(db, issueAffiliateStatements, [cycle(3, '2026-10'), cycle(4, '2026-10')]);
  assert.equal(await balances(world), ['video +1000 -333 -667 = 0']);
  await runHandler(db, attributeAffiliateConversion, [refund(5, 6_666, { timestamp: '2026-11-05T00:00:00.000Z' })]);
  await runHandler(db, issueAffiliateStatements, [cycle(6, '2026-11')]);
  assert.equal(await balances(world), ['video +1000 -1000 -667 = -667']);
  const statements = await db.selectFrom('affiliate_statements').selectAll().orderBy('period').execute();
  assert.equal(
    statements.map((s) => [s.period, s.commission_minor, s.clawback_minor, s.carried_minor, s.payout_minor]),
    [
      ['2026-10', 1_000, 333, 0, 667],
      ['2026-11', 0, 667, 0, 0],
    ],
  );
  const events = [cycle(7, '2026-12')];
  const { once, twice } = await runTwice(world, issueAffiliateStatements, events, ['affiliate_statements', ...tables]);
  assert.is(twice, once);
});

test('the ledger refuses to be changed, and its accounts are zero together', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  await runHandler(db, attributeAffiliateConversion, [order(1), refund(2, 5_000)]);
  for (const change of [sql`update affiliate_transfers set amount_minor = 1`, sql`delete from affiliate_transfers`]) {
    const thrown = await change.execute(db).catch((error: unknown) => error);
    assert.match(String(thrown), 'the ledger is append-only');
  }
  const { rows } = await sql<{ sum: number; payable: number }>`
    with entries as (
      select credit_account as account, amount_minor as amount from affiliate_transfers
      union all select debit_account, -amount_minor from affiliate_transfers)
    select sum(amount)::bigint as sum, (sum(amount) filter (where account = 'payable:video'))::bigint as payable from entries
  `.execute(db);
  assert.equal(rows, [{ sum: 0, payable: 500 }]);
});

test('handling conversions again changes nothing', async () => {
  await using world = await setUp();
  const { once, twice } = await runTwice(world, attributeAffiliateConversion, [order(1), refund(2, 100)], [...tables]);
  assert.is(twice, once);
});

test('what an affiliate is owed does not depend on the order in which an order and its refunds are told', async () => {
  await using world = await setUp();
  const { db } = world.postgres;
  let shops = 0;
  /** Each time a merchant of its own; which transfers there are may differ, what they come to may not. */
  const owedAfter = async (events: readonly ReturnType<typeof order>[]) => {
    shops += 1;
    const merchantId = `order-${shops}`;
    const video = { affiliateId: 'video', name: 'video', commissionPpm: 100_000, customerRef: null } as const;
    await db
      .transaction()
      .execute((trx) => saveAffiliate(trx, testKeyring, merchantId, { ...video, state: 'active' }, NOON));
    const theirs = events.map((event) => ({ ...event, merchantId }));
    await runHandler(db, attributeAffiliateConversion, theirs);
    return await readBalances(db, merchantId);
  };
  const cases = fc
    .array(fc.integer({ min: 1, max: 6_000 }), { minLength: 1, maxLength: 4 })
    .map((amounts) => [order(1), ...amounts.map((amount, index) => refund(index + 2, amount))])
    .chain((events) =>
      fc.record({
        events: fc.constant(events),
        shuffled: fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 }),
      }),
    );
  await fc.assert(
    fc.asyncProperty(cases, async ({ events, shuffled }) => {
      const [inOrder, otherwise] = [await owedAfter(events), await owedAfter(shuffled)];
      assert.equal(
        otherwise.map(({ balanceMinor }) => balanceMinor),
        inOrder.map(({ balanceMinor }) => balanceMinor),
      );
    }),
    { numRuns: 15 },
  );
});

test.run();
