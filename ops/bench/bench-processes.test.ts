// test-deadline: 300s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runBench } from './bench.ts';
import { typesOf } from './types-of.ts';

const expected = {
  pipeline: { ours: 'number', sqsConsumer: 'number', ratios: { sqsConsumer: 'number' } },
  latency: { over: { p50Ms: 'number', p99Ms: 'number' }, capacityPerSecond: 'number' },
  recovery: { killMs: 'number', sigtermMs: 'number', leaseMs: 'number' },
} as const;

test('parts on worker processes check their own results and report what they read', async () => {
  const parts = ['pipeline', 'latency', 'recovery'] as const;
  const report = await runBench({ parts, pairs: 1, scale: 0.002 }, console.error);
  for (const name of parts) assert.equal(typesOf(report[name], expected[name]), expected[name], name);
});

test.run();
