import { test } from 'uvu';

test('runs', () => undefined);
test('leaves midway', () => {
  process.exit(0);
});
test('is never reached', () => undefined);

test.run();
