import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { derivedEventId, encodeMerchant, shardOf } from './ids.ts';

test('any merchant id has a legal, bounded encoding, and different ids have different ones', () => {
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 128 }), (merchantId) => {
      const encoded = encodeMerchant(merchantId);
      assert.match(encoded, /^[A-Za-z0-9_.~-]{1,100}$/);
      assert.is(seen.get(encoded) ?? merchantId, merchantId);
      seen.set(encoded, merchantId);
    }),
    { numRuns: 2_000 },
  );
  assert.is(encodeMerchant('shop-1'), 'shop-1');
  assert.is(encodeMerchant('a:b'), 'a~3Ab');
  assert.is(encodeMerchant('{}'), '~7B~7D');
  assert.is(encodeMerchant('../x'), '..~2Fx');
  assert.is.not(encodeMerchant('a:b'), encodeMerchant('a~3Ab'));
  assert.is.not(encodeMerchant(`${'é'.repeat(100)}a`), encodeMerchant(`${'é'.repeat(100)}b`));
});

test('the id of an emitted event depends on its cause, its handler and its place, and on nothing else', () => {
  const id = derivedEventId('e1', 'h', 0);
  assert.is(id, derivedEventId('e1', 'h', 0));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.is(
    new Set([id, derivedEventId('e1', 'h', 1), derivedEventId('e1', 'g', 0), derivedEventId('e2', 'h', 0)]).size,
    4,
  );
});

test('a merchant stays in its shard, and shards fill evenly', () => {
  assert.is(shardOf('shop-1', 16), shardOf('shop-1', 16));
  const counts = Array.from({ length: 16 }, () => 0);
  for (let i = 0; i < 16_000; i++) counts[shardOf(`shop-${i}`, 16)] = (counts[shardOf(`shop-${i}`, 16)] ?? 0) + 1;
  assert.ok(
    counts.every((count) => count > 800 && count < 1_200),
    counts.join(' '),
  );
});

test.run();
