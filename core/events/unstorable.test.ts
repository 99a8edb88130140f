import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findUnstorable, mayBeUnstorable } from './unstorable.ts';

test('the look at the text misses nothing that the walk over the value finds', () => {
  const hostile = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }).map((text) => `{"a":["${text.replaceAll(/["\\]/g, '')}"]}`),
    fc.constantFrom('\\u0000', '\\ud800', '\\uDC00x', 'plain').map((text) => `{"${text}":{"b":"${text}"}}`),
    fc
      .tuple(
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom('', 'e', 'E', 'e+', 'e-'),
        fc.integer({ min: 0, max: 400 }),
      )
      .map(([digits, sign, exponent]) => `[${'9'.repeat(digits)}${sign === '' ? '' : `${sign}${exponent}`}]`),
    fc.integer({ min: 60, max: 70 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  );
  fc.assert(
    fc.property(hostile, (json) => {
      let value: unknown;
      try {
        value = JSON.parse(json);
      } catch {
        return;
      }
      if (findUnstorable(value, 1).length > 0) assert.ok(mayBeUnstorable(json), json);
    }),
  );
});

test('half a surrogate pair as it is, escapes, infinite numbers and deep nesting are each seen in the text', () => {
  const texts = [
    '["\ud800"]',
    String.raw`["\u0000"]`,
    String.raw`{"\ud800":1}`,
    '[1e999]',
    `[${'9'.repeat(309)}]`,
    `[${'9'.repeat(250)}e99]`,
    '['.repeat(65) + ']'.repeat(65),
  ];
  for (const text of texts) {
    assert.is(findUnstorable(JSON.parse(text), 1).length, 1, text);
    assert.ok(mayBeUnstorable(text), text);
  }
});

test('an ordinary event is not walked', () => {
  assert.not.ok(mayBeUnstorable('{"id":"0b9c4e123-6a43","n":12}'));
  assert.not.ok(mayBeUnstorable(JSON.stringify({ id: 'a-1', list: [1, 2.5e10, { text: 'grün "und" so' }] })));
});

test.run();
