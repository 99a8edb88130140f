import { test } from 'uvu';

test.before(() => {
  throw new Error('set-up failed');
});

test('one', () => undefined);
test('two', () => undefined);

test.run();
