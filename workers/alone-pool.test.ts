import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createAlonePool } from './alone-pool.ts';

test('as many run as may, four times as many wait in order, and what comes beyond that is not taken', async () => {
  const ends: (() => void)[] = [];
  const ran: number[] = [];
  const pool = createAlonePool({ concurrency: 2 });
  const add = (n: number) =>
    pool.add(async () => {
      ran.push(n);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const taken = Array.from({ length: 12 }, (_, n) => add(n));
  assert.equal(
    taken,
    Array.from({ length: 12 }, (_, n) => n < 10),
  );
  assert.equal([ran, pool.waiting], [[0, 1], 8]);
  ends.shift()?.();
  await new Promise(setImmediate);
  assert.equal([ran, pool.waiting], [[0, 1, 2], 7]);
  assert.ok(add(12));
  while (ends.length > 0) {
    for (const end of ends.splice(0)) end();
    await new Promise(setImmediate);
  }
  await pool.ended();
  assert.equal(ran, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]);
});

test.run();
