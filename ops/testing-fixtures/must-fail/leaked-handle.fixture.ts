// test-deadline: 3s
import { test } from 'uvu';

test('starts what it does not stop', () => {
  setInterval(() => undefined, 1_000);
});

test.run();
