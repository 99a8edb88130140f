import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWakeBatches } from './wake-batches.ts';
import type { WakeEntry } from './wake-entries.ts';

const entry = (merchantId: string): WakeEntry => ({ merchantId, pointers: [], backlog: 0 });
const merchantsOf = (entries: readonly WakeEntry[]) => entries.map(({ merchantId }) => merchantId);

test('calls of one turn go together, and each is answered with its own merchants that were woken', async () => {
  const calls: string[][] = [];
  const wake = createWakeBatches({
    wake: async (entries) => {
      calls.push(merchantsOf(entries));
      return merchantsOf(entries).filter((merchantId) => merchantId !== 'b');
    },
  });
  const answers = await Promise.all([wake([entry('a'), entry('b')]), wake([entry('c')])]);
  assert.equal(answers, [['a'], ['c']]);
  assert.equal(calls, [['a', 'b', 'c']]);
});

test('no more than the cap go together, no more than the limit at a time, and none is left behind', async () => {
  const calls: string[][] = [];
  let running = 0;
  let most = 0;
  const wake = createWakeBatches({
    maxEntries: 2,
    maxRunning: 1,
    wake: async (entries) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
      calls.push(merchantsOf(entries));
      return merchantsOf(entries);
    },
  });
  const answers = await Promise.all([
    wake([entry('a'), entry('b'), entry('c')]),
    wake([entry('d')]),
    wake([entry('e')]),
    wake([entry('f')]),
  ]);
  assert.equal(answers, [['a', 'b', 'c'], ['d'], ['e'], ['f']]);
  assert.equal(calls, [['a', 'b', 'c'], ['d', 'e'], ['f']]);
  assert.is(most, 1);
});

test('a wake that fails fails its own calls only', async () => {
  const wake = createWakeBatches({
    maxEntries: 1,
    maxRunning: 1,
    wake: (entries) =>
      entries[0]?.merchantId === 'a' ? Promise.reject(new Error('refused')) : Promise.resolve(merchantsOf(entries)),
  });
  const results = await Promise.allSettled([wake([entry('a')]), wake([entry('b')])]);
  assert.equal(
    results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason))),
    ['Error: refused', ['b']],
  );
});

test.run();
