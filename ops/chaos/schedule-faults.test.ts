import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { faultKinds, scheduleFaults } from './schedule-faults.ts';

const options = { events: 1_000, faults: 4, workers: 3, leaseMs: 4_000 };

test('a seed names its faults: the same ones every time, others for another seed', () => {
  const schedule = scheduleFaults(7, options);
  assert.equal(schedule, scheduleFaults(7, options));
  assert.equal(schedule, [
    { kind: 'rolling-restart', afterEvents: 277, target: '', durationMs: 0 },
    { kind: 'redis-restart', afterEvents: 470, target: 'redis', durationMs: 0 },
    { kind: 'messages-late', afterEvents: 517, target: '', durationMs: 3_255 },
    { kind: 'redis-flush', afterEvents: 888, target: '', durationMs: 0 },
  ]);
  assert.not.equal(schedule, scheduleFaults(8, options));
});

test('every kind comes before any comes twice, in the order of the load', () => {
  const schedule = scheduleFaults(1, { ...options, events: 20_000, faults: 26 });
  const kinds = schedule.map(({ kind }) => kind);
  assert.equal(kinds.slice(0, 13).toSorted(), faultKinds.toSorted());
  assert.equal(kinds.slice(13).toSorted(), faultKinds.toSorted());
  const starts = schedule.map(({ afterEvents }) => afterEvents);
  assert.equal(
    starts,
    starts.toSorted((a, b) => a - b),
  );
  assert.ok((starts.at(-1) ?? 0) < 20_000);
});

test('a worker is stopped for longer than its lease', () => {
  const stops = scheduleFaults(1, { ...options, faults: 39 }).filter(({ kind }) => kind === 'worker-stop');
  assert.is(stops.length, 3);
  for (const { durationMs } of stops) assert.ok(durationMs > 4_000, String(durationMs));
});

test.run();
