import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { capacityOf, fullBucket, refill, take, tokensAt, wholeTokens } from './token-bucket.ts';

const rates = fc.oneof(fc.double({ min: 0.01, max: 1, noNaN: true }), fc.double({ min: 1, max: 5_000, noNaN: true }));

test('whatever is asked and when, no more passes than the time allows plus what one second stores', () => {
  const asks = fc.array(fc.record({ afterMs: fc.integer({ min: -500, max: 3_000 }), wanted: fc.nat({ max: 500 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(rates, asks, (perSecond, steps) => {
      let bucket = fullBucket(perSecond, 0);
      let [now, latest, passed] = [0, 0, 0];
      for (const { afterMs, wanted } of steps) {
        // Clocks of different workers disagree: time may step back.
        now += afterMs;
        latest = Math.max(latest, now);
        bucket = refill(bucket, now);
        const got = Math.min(wanted, wholeTokens(bucket));
        bucket = take(bucket, got);
        passed += got;
        assert.ok(passed <= capacityOf(perSecond) + (latest / 1_000) * perSecond + 1e-3 * (passed + 1));
      }
    }),
  );
});

test('who waits until the time that was named finds the tokens there', () => {
  fc.assert(
    fc.property(rates, fc.nat({ max: 10_000 }), fc.nat({ max: 1_000 }), (perSecond, now, used) => {
      const bucket = take(refill(fullBucket(perSecond, 0), now), used);
      const count = Math.max(1, Math.floor(capacityOf(perSecond) / 2));
      assert.ok(wholeTokens(refill(bucket, tokensAt(bucket, count))) >= count);
    }),
  );
});

test('a bucket of two a second gives two at once and then one every half second', () => {
  const empty = take(fullBucket(2, 1_000), 2);
  assert.is(wholeTokens(empty), 0);
  assert.is(tokensAt(empty, 1), 1_500);
  assert.is(wholeTokens(refill(empty, 1_499)), 0);
  assert.is(wholeTokens(refill(empty, 1_500)), 1);
  assert.is(wholeTokens(refill(empty, 60_000)), 2);
});

test.run();
