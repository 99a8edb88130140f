import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { draftInvoices } from './invoice.ts';
import { daysOf, monthBefore, stretchesOf } from './periods.ts';

const growth = {
  planId: 'growth',
  currency: 'EUR',
  baseFeeMinor: 4_900,
  includedClicks: 100_000,
  clickThousandMinor: 40,
  spendFeePpm: 20_000,
};
const scale = { ...growth, planId: 'scale', baseFeeMinor: 24_900, includedClicks: 1_000_000, spendFeePpm: 10_000 };
const spend = (adNetworkId: string, spendMicros: number, currency = 'EUR', clicks = 0) => ({
  adNetworkId,
  currency,
  clicks,
  spendMicros,
});

test('a month on one plan costs its fee, its clicks by the thousand begun, and its share of what was spent', () => {
  const [draft] = draftInvoices([{ plan: growth, days: 30 }], 30, [
    spend('google_ads', 333_333_333, 'EUR', 100_001),
    spend('meta', 333_333_333, 'EUR', 1_000),
    spend('tiktok', 333_333_333),
  ]);
  assert.equal(
    draft?.lines.map(({ kind, amountMinor, quantity }) => [kind, amountMinor, quantity]),
    [
      ['base', 4_900, 30],
      ['usage', 80, 2],
      // 2 % of 999.999999 is 20.00: what rounding leaves goes to the first.
      ['ad_spend', 667, 333_333_333],
      ['ad_spend', 667, 333_333_333],
      ['ad_spend', 666, 333_333_333],
    ],
  );
  assert.is(draft?.totalMinor, 6_980);
});

test('a change of plan is paid by the day, and the parts add up to what the days come to', () => {
  const subscriptions = [
    { fromDay: '2026-01-15', plan: growth },
    { fromDay: '2026-10-11', plan: scale },
  ];
  const stretches = stretchesOf(subscriptions, '2026-10');
  assert.equal(
    stretches.map(({ plan, days }) => [plan.planId, days]),
    [
      ['growth', 10],
      ['scale', 21],
    ],
  );
  const [draft] = draftInvoices(stretches, 31, []);
  // Together 18448.39, of which the shares are 1580.61 and 16867.39.
  assert.equal(
    draft?.lines.map(({ amountMinor }) => amountMinor),
    [1_581, 16_867],
  );
  assert.is(stretchesOf([{ fromDay: '2026-10-30', plan: growth }], '2026-10')[0]?.days, 2);
  assert.equal(stretchesOf([...subscriptions, { fromDay: '2026-09-01', plan: null }], '2026-09'), []);
});

test('no invoice mixes currencies, and each is rounded to its own minor unit', () => {
  const drafts = draftInvoices([{ plan: growth, days: 31 }], 31, [
    spend('meta', 10_000_000_000, 'JPY'),
    spend('meta', 1_234_567_890, 'KWD'),
    spend('meta', 24, 'USD'),
  ]);
  assert.equal(
    drafts.map(({ currency, totalMinor }) => [currency, totalMinor]),
    [
      ['EUR', 4_900],
      ['JPY', 200],
      ['KWD', 24_691],
    ],
  );
});

test('lines add up to the total, whatever was spent', () => {
  const usage = fc.array(
    fc.record({
      adNetworkId: fc.constantFrom('google_ads', 'meta', 'tiktok'),
      currency: fc.constantFrom('EUR', 'JPY'),
      clicks: fc.nat(1_000_000),
      spendMicros: fc.maxSafeNat(),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(usage, fc.integer({ min: 1, max: 30 }), (all, days) => {
      const stretches = [
        { plan: growth, days },
        { plan: scale, days: 31 - days },
      ];
      for (const { lines, totalMinor } of draftInvoices(stretches, 31, all)) {
        assert.is(
          lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
          totalMinor,
        );
        assert.ok(Number.isSafeInteger(totalMinor));
      }
    }),
  );
});

test('months have their own length and follow each other', () => {
  assert.equal(daysOf('2028-02'), { first: '2028-02-01', last: '2028-02-29', count: 29 });
  assert.equal([monthBefore('2026-11-01'), monthBefore('2026-01-31')], ['2026-10', '2025-12']);
});

test.run();
