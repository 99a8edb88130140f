// test-deadline: 240s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runBench } from './bench.ts';
import { partNames } from './parts.ts';

/** The keys that readers of the JSON rely on, by part. A figure is a number; what is nested is listed as it nests. */
const expected: Record<string, unknown> = {
  lanes: {
    ours: 'number',
    bullmqUnordered: 'number',
    groupmq: 'number',
    bullmqPerMerchant: 'number',
    ratios: { bullmqUnordered: 'number', groupmq: 'number', bullmqPerMerchant: 'number' },
  },
  engine: {
    ours: 'number',
    bullmqUnordered: 'number',
    bareLoop: 'number',
    ratios: { bullmqUnordered: 'number', bareLoop: 'number' },
    deep: { ours: 'number', ratios: { shallow: 'number' } },
  },
  sparse: { ours: 'number', bareLoop: 'number', ratios: { bareLoop: 'number' } },
  accept: { ours: 'number', bullmqAddBulk: 'number', ratios: { bullmqAddBulk: 'number' } },
};

/** The types of `value`, as far as `shape` asks. */
function typesOf(value: unknown, shape: unknown): unknown {
  if (typeof shape !== 'object' || shape === null) return typeof value;
  if (typeof value !== 'object' || value === null) return value;
  const fields = new Map(Object.entries(value));
  return Object.fromEntries(Object.entries(shape).map(([key, inner]) => [key, typesOf(fields.get(key), inner)]));
}

test('every part checks its own result and reports the figures of each contender', async () => {
  const report = await runBench({ parts: partNames, pairs: 1, scale: 0.002 }, () => undefined);
  for (const name of partNames) assert.equal(typesOf(report[name], expected[name]), expected[name], name);
  assert.is(report.settings['postgres.fsync'], 'on');
  assert.is(report.settings['postgres.synchronous_commit'], 'on');
  assert.is(report.settings['postgres.full_page_writes'], 'on');
  assert.ok(report.machine.cores > 0);
  assert.match(report.versions['postgres'] ?? '', /^18\./);
});

test.run();
