import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decimalOf, exponentOf, microsOfDecimal, minorOfMicros, minorToMicros } from './currency.ts';

test('an amount has as many decimals as ISO 4217 gives its currency', () => {
  assert.equal(['EUR', 'JPY', 'KWD', 'CLF', 'toString'].map(exponentOf), [2, 0, 3, 4, 2]);
  assert.equal(
    [decimalOf(1_500, 'EUR'), decimalOf(5, 'USD'), decimalOf(-5, 'USD'), decimalOf(1_500, 'JPY'), decimalOf(1, 'KWD')],
    ['15.00', '0.05', '-0.05', '1500', '0.001'],
  );
});

test('micros of an amount are exact whatever its size', () => {
  assert.is(minorToMicros(1_999, 'EUR'), 19_990_000n);
  assert.is(minorToMicros(9_007_199_254_740_991, 'JPY'), 9_007_199_254_740_991_000_000n);
  assert.is(minorToMicros(1, 'KWD'), 1_000n);
});

test('a currency that is written without decimals where it is used has those of ISO 4217 all the same', () => {
  // What locales show differs from what payment providers and networks count in: these have no decimals there.
  assert.equal(['IQD', 'LAK', 'MGA', 'IRR'].map(exponentOf), [3, 2, 2, 2]);
  assert.is(decimalOf(1_500, 'IQD'), '1.500');
});

test('micros become minor units, and decimal texts micros, rounded half up; what is no number is refused', () => {
  assert.equal(
    [minorOfMicros(12_345_000, 'EUR'), minorOfMicros(1_500_000, 'JPY'), minorOfMicros(1_500, 'IQD')],
    [1_235, 2, 2],
  );
  assert.equal(['12.34', '0', '3.0000005', '7'].map(microsOfDecimal), [12_340_000, 0, 3_000_001, 7_000_000]);
  for (const wrong of ['', '-1', '1e3', '1,5']) assert.throws(() => microsOfDecimal(wrong), RangeError);
});

test.run();
