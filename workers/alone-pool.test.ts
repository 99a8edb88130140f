import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createAlonePool } from './alone-pool.ts';

test('there is room without a limit until something waits, then for a queue as long as what runs', async () => {
  const ends: (() => void)[] = [];
  const ran: string[] = [];
  const pool = createAlonePool<string>({
    concurrency: 2,
    run: async (item) => {
      ran.push(item);
      await new Promise<void>((resolve) => ends.push(resolve));
    },
  });
  assert.is(pool.room, Number.POSITIVE_INFINITY);
  pool.add('a');
  pool.add('b');
  assert.is(pool.room, Number.POSITIVE_INFINITY);
  pool.add('c');
  assert.is(pool.room, 1);
  pool.add('d');
  pool.add('e');
  assert.is(pool.room, 0);
  assert.is(pool.waiting, 3);
  assert.equal(ran, ['a', 'b']);
  while (ends.length > 0) {
    for (const end of ends.splice(0)) end();
    await new Promise(setImmediate);
  }
  await pool.ended();
  assert.equal(ran, ['a', 'b', 'c', 'd', 'e']);
});

test.run();
