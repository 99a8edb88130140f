import { test } from 'uvu';

test.after.each(() => {
  throw new Error('clean-up failed');
});

test('one', () => undefined);

test.run();
