import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { randomText } from './random.ts';

test('no text is handed out twice, also over the end of what was drawn at once', () => {
  const texts = Array.from({ length: 5_000 }, () => randomText(16, 'hex'));
  assert.is(new Set(texts).size, 5_000);
  assert.ok(texts.every((text) => /^[0-9a-f]{32}$/.test(text)));
});

test('more than is drawn at once is refused', () => {
  assert.throws(() => randomText(8_193, 'hex'), '8193 random bytes asked for');
});

test.run();
