import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { replacePart, writePart } from './page.ts';
import { resultsSchema } from './results.ts';
import { writeReport } from './write.ts';

const spread = (median: number) => ({ median, min: median * 0.9, max: median * 1.1 });

const results = {
  machine: { cpu: 'a processor', cores: 2, memoryGb: 8, platform: 'linux x64' },
  versions: { node: '24.1.0' },
  settings: { 'postgres.fsync': 'on' },
  date: '2026-01-02',
  options: { pairs: 5, scale: 1 },
  engine: {
    ours: 20_000,
    spread: { ours: spread(20_000), bullmqUnordered: spread(12_000), bareLoop: spread(2_500) },
    ratios: { bullmqUnordered: 1.5, bareLoop: 8 },
    ratioSpread: { bullmqUnordered: spread(1.5), bareLoop: spread(8) },
    events: 20_000,
    deep: { events: 100_000, ours: 15_000, ratios: { shallow: 0.75 } },
  },
  memory: { merchants: 100, heapMbAfterRound: [30, 31, 30], ratios: { lastToFirst: 1, largestToFirst: 1.03 } },
};

test('the page states what was measured, beside what, under which conditions and what is asked for', () => {
  const part = writePart(resultsSchema.parse(results));
  assert.match(part, '2 cores of a processor, 8 GB');
  assert.match(part, 'postgres.fsync on');
  assert.match(part, '| bare loop, no queue | 2,500 (2,250 to 2,750) | 8 (7.2 to 8.8) × | ≥ 6 ×, met |');
  assert.match(
    part,
    '| BullMQ, one unordered queue | 12,000 (10,800 to 13,200) | 1.5 (1.4 to 1.7) × | ≥ 2 ×, missed |',
  );
  assert.match(part, '15,000 events/s, 0.75 of the shallow ones');
  assert.match(part, 'benchmarks/engine.svg');
});

test('the pipeline is told in CPU seconds, and what its stores took beside it', () => {
  const cost = { postgres: 0.2, redis: 0.02, emulator: 0.1 };
  const pipeline = {
    events: 10_000,
    spread: { ours: spread(0.4), sqsConsumer: spread(0.6) },
    ratios: { sqsConsumer: 1.5 },
    ratioSpread: { sqsConsumer: spread(1.5) },
    servers: { ours: cost, sqsConsumer: cost },
    stages: [{ stage: 'accept', share: 0.25 }],
  };
  const page = (more: object) => writePart(resultsSchema.parse({ ...results, pipeline: { ...pipeline, ...more } }));
  assert.match(
    page({}),
    '| sqs-consumer | 0.6 (0.54 to 0.66) | 0.2 | 0.02 | 0.1 | 1.5 (1.4 to 1.7) × | ≥ 1.5 ×, met |',
  );
  assert.match(page({ ratiosWithStores: { sqsConsumer: 1.7 } }), 'sqs-consumer takes 1.7 times as much');
  assert.not.match(page({}), 'times as much');
});

test('a part that was not run is not on the page', () => {
  const part = writePart(resultsSchema.parse(results));
  assert.not.match(part, 'Fairness');
  assert.not.match(part, 'fairness.svg');
});

test('what others wrote on the page stays, and a second run replaces the first', () => {
  const first = replacePart('# Benchmarks\n\n## Chaos\n\nTold elsewhere.\n', 'one');
  assert.match(first, 'Told elsewhere.');
  const second = replacePart(`${first}\nAfter.\n`, 'two');
  assert.not.match(second, 'one');
  assert.match(second, 'Told elsewhere.');
  assert.match(second, 'After.');
  assert.is(second.split('two').length, 2);
});

test('results, figures and page are written together; parts of the same conditions stay, others go', async () => {
  const docs = mkdtempSync(join(tmpdir(), 'laneway-report-'));
  try {
    writeFileSync(join(docs, 'benchmarks.md'), '# Benchmarks\n\nOwn words.\n');
    await writeReport(results, docs);
    assert.match(readFileSync(join(docs, 'benchmarks.md'), 'utf8'), 'Own words.');
    assert.match(readFileSync(join(docs, 'benchmarks/engine.svg'), 'utf8'), 'Laneway');
    assert.is(JSON.parse(readFileSync(join(docs, 'benchmarks/results.json'), 'utf8')).engine.ours, 20_000);
    assert.not.ok(existsSync(join(docs, 'benchmarks/latency.svg')));
    const { memory, ...others } = results;
    await writeReport({ ...others, engine: { ...others.engine, ours: 30_000 } }, docs);
    const together = JSON.parse(readFileSync(join(docs, 'benchmarks/results.json'), 'utf8'));
    assert.equal([together.engine.ours, together.memory], [30_000, memory]);
    await writeReport({ ...others, options: { pairs: 3, scale: 1 } }, docs);
    assert.is(JSON.parse(readFileSync(join(docs, 'benchmarks/results.json'), 'utf8')).memory, undefined);
  } finally {
    rmSync(docs, { recursive: true, force: true });
  }
});

test.run();
