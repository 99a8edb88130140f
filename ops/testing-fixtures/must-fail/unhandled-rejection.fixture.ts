import { test } from 'uvu';

test('forgets a promise', async () => {
  void Promise.reject(new Error('nobody looks'));
  await new Promise((resolve) => setTimeout(resolve, 10));
});

test.run();
