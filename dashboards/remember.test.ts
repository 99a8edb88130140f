import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { remember } from './remember.ts';
import { createTestClock } from './testing/console.ts';

test('however many ask, the load runs once until its result is too old', async () => {
  const clock = createTestClock();
  let loads = 0;
  const get = remember(clock, 1_000, async () => ++loads);
  assert.equal(await Promise.all([get(), get(), get()]), [1, 1, 1]);
  clock.advance(999);
  assert.is(await get(), 1);
  clock.advance(1);
  assert.equal(await Promise.all([get(), get()]), [2, 2]);
});

test('a load that fails is tried again by the next caller', async () => {
  let loads = 0;
  const get = remember(createTestClock(), 1_000, async () => {
    loads += 1;
    if (loads === 1) throw new Error('away');
    return loads;
  });
  const failures = await Promise.allSettled([get(), get()]);
  assert.equal(
    failures.map((failure) => failure.status),
    ['rejected', 'rejected'],
  );
  assert.is(loads, 1);
  assert.is(await get(), 2);
});

test.run();
