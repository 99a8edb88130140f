// test-deadline: 300s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runBench } from './bench.ts';
import { typesOf } from './types-of.ts';

/** The keys that readers of the JSON rely on. */
const expected = {
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
  scale: {
    ratios: { throughput100kTo1k: 'number' },
    redisBytesPerIdleMerchant: 'number',
    redisClients: 'number',
    idleCommandsPerSecond: 'number',
  },
  fairness: { ratios: { quietP99: 'number' } },
  memory: { ratios: { lastToFirst: 'number' } },
} as const;

test('parts on stores alone check their own results and report the figures of each contender', async () => {
  const parts = ['lanes', 'engine', 'sparse', 'accept', 'scale', 'fairness', 'memory'] as const;
  const report = await runBench({ parts, pairs: 1, scale: 0.002 }, console.error);
  for (const name of parts) assert.equal(typesOf(report[name], expected[name]), expected[name], name);
  assert.is(report.settings['postgres.fsync'], 'on');
  assert.is(report.settings['postgres.synchronous_commit'], 'on');
  assert.is(report.settings['postgres.full_page_writes'], 'on');
  assert.ok(report.machine.cores > 0);
  assert.match(report.versions['postgres'] ?? '', /^18\./);
});

test.run();
