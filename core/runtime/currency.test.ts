import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { currencyDigits, majorText, microsOf, microsOfDecimal, minorOfMicros } from './currency.ts';

test('digits follow ISO 4217', () => {
  assert.equal(['EUR', 'JPY', 'KWD'].map(currencyDigits), [2, 0, 3]);
  assert.throws(() => currencyDigits('euro'), RangeError);
});

test('minor units and micros convert without loss, and back', () => {
  assert.equal(
    [microsOf(1_234, 'EUR'), microsOf(1_234, 'JPY'), microsOf(1_234, 'KWD')],
    [12_340_000, 1_234_000_000, 1_234_000],
  );
  assert.equal([minorOfMicros(12_345_000, 'EUR'), minorOfMicros(1_500_000, 'JPY')], [1_235, 2]);
});

test('major amounts are written from digits', () => {
  assert.equal(
    [majorText(5, 'EUR'), majorText(1_234, 'EUR'), majorText(7, 'JPY'), majorText(1, 'KWD')],
    ['0.05', '12.34', '7', '0.001'],
  );
});

test('decimal texts become micros, and what is no number is refused', () => {
  assert.equal(['12.34', '0', '3.0000005', '7'].map(microsOfDecimal), [12_340_000, 0, 3_000_001, 7_000_000]);
  for (const wrong of ['', '-1', '1e3', '1,5']) assert.throws(() => microsOfDecimal(wrong), RangeError);
});

test.run();
