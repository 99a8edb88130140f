import { test } from 'uvu';

test('throws text', () => {
  throw 'text';
});
test('is lost with it', () => undefined);

test.run();
