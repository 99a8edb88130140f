import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { median, percentile, round, spreadOf } from './statistics.ts';

test('a percentile lies between its neighbours where no value is at its place', () => {
  assert.is(percentile([40, 10, 30, 20], 50), 25);
  assert.is(percentile([40, 10, 30, 20], 0), 10);
  assert.is(percentile([40, 10, 30, 20], 100), 40);
  assert.is(
    percentile(
      Array.from({ length: 101 }, (_, i) => i),
      99,
    ),
    99,
  );
  assert.is(percentile([7], 99), 7);
});

test('values are ordered as numbers and stay as they were given', () => {
  const values = [10, 9, 100];
  assert.is(median(values), 10);
  assert.equal(values, [10, 9, 100]);
  assert.equal(spreadOf(values), { median: 10, min: 9, max: 100 });
});

test('no value gives no figure', () => {
  assert.throws(() => median([]), /no values/);
});

test('figures are rounded to what they can be trusted for', () => {
  assert.is(round(12_345.678), 12_346);
  assert.is(round(12.345_678), 12.35);
  assert.is(round(0.123_456), 0.1235);
  assert.is(round(3), 3);
});

test.run();
