import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('adds', () => {
  assert.is(1 + 1, 2);
});

test('settles', async () => {
  assert.is(await Promise.resolve('done'), 'done');
});

test.run();
