import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decimalOf, exponentOf, minorToMicros } from './currency.ts';

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

test.run();
