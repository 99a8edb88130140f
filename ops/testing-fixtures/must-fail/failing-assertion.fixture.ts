import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('holds', () => {
  assert.is(1, 1);
});
test('does not hold', () => {
  assert.is(1, 2);
});

test.run();
