import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptable } from '../core/testing/acceptable.ts';
import { createAcceptBatches } from './accept-batch.ts';
import type { AcceptableEvent } from './accept-rows.ts';

/** Runs that end when the test says so. */
function controlled() {
  const runs: { ids: string[]; finish: () => void; fail: (error: Error) => void }[] = [];
  const run = (events: readonly AcceptableEvent[]) =>
    new Promise<string[]>((resolve, reject) => {
      const ids = events.map((event) => event.eventId);
      runs.push({ ids, finish: () => resolve(ids.map((id) => `verdict on ${id}`)), fail: reject });
    });
  return { runs, run, ids: () => runs.map(({ ids }) => ids.join(' ')) };
}

/** A sleep that ends when the test says so. */
function pausedClock() {
  const naps: { ms: number; wake: () => void }[] = [];
  const sleep = (ms: number) => new Promise<void>((resolve) => naps.push({ ms, wake: resolve }));
  return { naps, clock: { sleep } };
}

const { clock } = pausedClock();

const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

test('calls that arrive while transactions run go together in the next, each with its own verdicts', async () => {
  const { runs, run, ids } = controlled();
  const batches = createAcceptBatches({ run, clock, maxRunning: 1 });
  const first = batches.accept([acceptable('a', '1')]);
  const second = batches.accept([acceptable('b', '2'), acceptable('c', '3')]);
  const third = batches.accept([acceptable('d', '4')]);
  assert.equal(ids(), ['1']);
  assert.is(batches.waitingEvents, 3);
  runs[0]?.finish();
  assert.equal(await first, ['verdict on 1']);
  await settled();
  assert.equal(ids(), ['1', '2 3 4']);
  runs[1]?.finish();
  assert.equal(await second, ['verdict on 2', 'verdict on 3']);
  assert.equal(await third, ['verdict on 4']);
  assert.is(batches.waitingEvents, 0);
});

test('a merchant is never in two running transactions, and its calls keep their order', async () => {
  const { runs, run, ids } = controlled();
  const batches = createAcceptBatches({ run, clock, maxRunning: 3, worthEvents: 1 });
  void batches.accept([acceptable('a', 'a1')]);
  void batches.accept([acceptable('a', 'a2'), acceptable('b', 'b1')]);
  // Has to wait for b1, although b is in no transaction yet.
  void batches.accept([acceptable('b', 'b2')]);
  void batches.accept([acceptable('c', 'c1')]);
  assert.equal(ids(), ['a1', 'c1']);
  runs[0]?.finish();
  await settled();
  assert.equal(ids(), ['a1', 'c1', 'a2 b1 b2']);
});

test('beside a transaction few events wait until they are worth one, or it ends, or patience does', async () => {
  const { runs, run, ids } = controlled();
  const { clock, naps } = pausedClock();
  const batches = createAcceptBatches({ run, clock, maxRunning: 3, worthEvents: 3, patienceMs: 20 });
  const offer = (...names: string[]) => void batches.accept(names.map((name) => acceptable(name, name)));
  offer('a');
  offer('b');
  assert.equal(ids(), ['a'], 'nothing was under way for the first, and it is for the second');
  offer('c', 'd');
  assert.equal(ids(), ['a', 'b c d'], 'worth a transaction of their own');
  offer('e');
  runs[1]?.finish();
  await settled();
  assert.equal(ids(), ['a', 'b c d'], 'one is still under way');
  runs[0]?.finish();
  await settled();
  assert.equal(ids(), ['a', 'b c d', 'e'], 'nothing is under way');
  offer('f');
  assert.equal(
    naps.map(({ ms }) => ms),
    [20],
    'one wait at a time, however many events it is for',
  );
  naps[0]?.wake();
  await settled();
  assert.equal(ids(), ['a', 'b c d', 'e', 'f'], 'whatever hangs holds up the rest for as long as patience lasts');
});

test('batches are bounded in events and bytes, and a larger call goes alone', async () => {
  const { runs, run, ids } = controlled();
  const batches = createAcceptBatches({ run, clock, maxRunning: 1, maxEvents: 3, maxBytes: 100 });
  void batches.accept([acceptable('z', 'z')]);
  void batches.accept(['1', '2', '3', '4'].map((id) => acceptable(id, id, 'x')));
  void batches.accept([acceptable('b', 'b', 'x'.repeat(90))]);
  void batches.accept([acceptable('c', 'c', 'x'.repeat(20))]);
  for (let i = 0; i < 4; i++) {
    runs[i]?.finish();
    await settled();
  }
  assert.equal(ids(), ['z', '1 2 3 4', 'b', 'c']);
});

test('a failed transaction fails its own calls only', async () => {
  const { runs, run } = controlled();
  const batches = createAcceptBatches({ run, clock, maxRunning: 1 });
  const first = batches.accept([acceptable('a', '1')]);
  const second = batches.accept([acceptable('a', '2')]);
  runs[0]?.fail(new Error('away'));
  await first.then(
    () => assert.unreachable(),
    (error: unknown) => assert.is(error instanceof Error && error.message, 'away'),
  );
  await settled();
  runs[1]?.finish();
  assert.equal(await second, ['verdict on 2']);
});

test('what waits is bounded', async () => {
  const { runs, run } = controlled();
  const batches = createAcceptBatches({ run, clock, maxRunning: 1, maxWaitingEvents: 2 });
  void batches.accept([acceptable('a', '1')]);
  void batches.accept([acceptable('a', '2'), acceptable('a', '3')]);
  await batches.accept([acceptable('b', '4')]).then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), 'already wait'),
  );
  runs[0]?.finish();
  await settled();
  void batches.accept([acceptable('b', '4')]);
  assert.is(batches.waitingEvents, 1);
});

test.run();
