import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apportion, scaled } from './apportion.ts';

test('what is left by rounding goes to the largest remainders, the first of equals first', () => {
  assert.equal(apportion(100, [1n, 1n, 1n]), [34, 33, 33]);
  assert.equal(apportion(10, [3n, 3n, 1n]), [4, 4, 2]);
  assert.equal(apportion(-100, [1n, 1n, 1n]), [-34, -33, -33]);
  assert.equal(apportion(5, [0n, 0n]), [5, 0]);
  assert.equal(apportion(0, [1n, 2n]), [0, 0]);
  assert.equal(apportion(7, []), []);
});

test('parts add up to the whole, and none is further than one from its exact share', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e12, max: 1e12 }),
      fc.array(fc.bigInt({ min: 0n, max: 10n ** 15n }), { minLength: 1, maxLength: 9 }),
      (total, weights) => {
        const parts = apportion(total, weights);
        assert.is(
          parts.reduce((all, part) => all + part, 0),
          total,
        );
        const sum = weights.reduce((all, weight) => all + weight, 0n);
        if (sum === 0n) return;
        for (const [index, weight] of weights.entries()) {
          const exact = (BigInt(total) * weight) / sum;
          assert.ok(Math.abs(Number(BigInt(parts[index] ?? 0) - exact)) <= 1);
        }
      },
    ),
  );
});

test('scaling rounds half away from zero and is exact beyond what a float holds', () => {
  assert.equal([scaled(5n, 1n, 10n), scaled(4n, 1n, 10n), scaled(-5n, 1n, 10n)], [1, 0, -1]);
  assert.is(scaled(9_007_199_254_740_993n, 30_000n, 1_000_000n), 270_215_977_642_230);
});

test.run();
