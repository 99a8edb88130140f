import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CpuProfile, attributeProfile } from './attribute.ts';

const frame = (id: number, url: string, children: number[] = [], functionName = 'f') => ({
  id,
  callFrame: { functionName, url },
  children,
});

const project = 'file:///home/somebody/laneway';
const pg = `${project}/node_modules/pg/lib/client.js`;

const profile = (samples: readonly [node: number, microseconds: number][]): CpuProfile => ({
  nodes: [
    frame(1, '', [2, 4, 6, 7, 8, 9, 12, 15], '(root)'),
    frame(2, `${project}/workers/settle.ts`, [3]),
    frame(3, pg),
    frame(4, 'node:internal/stream_base_commons', [5]),
    frame(5, pg),
    frame(6, '', [], '(idle)'),
    frame(7, '', [], '(garbage collector)'),
    frame(8, 'node:internal/timers'),
    frame(9, `${project}/core/contexts/catalog/writes.ts`, [10]),
    frame(10, `${project}/node_modules/kysely/dist/index.js`),
    frame(12, `${project}/workers/decode.ts`, [13]),
    frame(13, `${project}/core/runtime/ids.ts`),
    frame(15, `${project}/ops/bench/worker-process.ts`, [16]),
    frame(16, 'node:inspector'),
  ],
  samples: samples.map(([node]) => node),
  timeDeltas: samples.map(([, microseconds]) => microseconds),
});

const sharesOf = (samples: readonly [node: number, microseconds: number][]) =>
  Object.fromEntries(attributeProfile(profile(samples)).map(({ stage, share }) => [stage, share]));

test('time in a library belongs to the stage of ours that called it', () => {
  assert.equal(sharesOf([[3, 100]]), { 'act: fence, window, settle': 1 });
  assert.equal(sharesOf([[10, 100]]), { handlers: 1 });
});

test('time in a library that a socket called belongs to the library, and what has neither to Node', () => {
  assert.equal(
    sharesOf([
      [5, 300],
      [8, 100],
    ]),
    { 'Postgres client': 0.75, 'Node runtime and shared code': 0.25 },
  );
});

test('what all stages share counts for the stage that called it, and the bench itself for nobody', () => {
  assert.equal(
    sharesOf([
      [13, 100],
      [16, 900],
    ]),
    { decode: 1 },
  );
});

test('idle time counts for nobody and garbage collection for itself', () => {
  assert.equal(
    sharesOf([
      [6, 9_000],
      [1, 500],
      [7, 100],
      [2, 300],
    ]),
    { 'act: fence, window, settle': 0.75, 'garbage collection': 0.25 },
  );
});

test('stages come largest first with their milliseconds', () => {
  const [first, second] = attributeProfile(
    profile([
      [8, 1_000],
      [5, 3_000],
    ]),
  );
  assert.equal(first, { stage: 'Postgres client', share: 0.75, ms: 3 });
  assert.equal(second, { stage: 'Node runtime and shared code', share: 0.25, ms: 1 });
});

test.run();
