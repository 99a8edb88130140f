import { test } from 'uvu';

test.after(() => {
  throw new Error('clean-up failed');
});

test('one', () => undefined);

test.run();
