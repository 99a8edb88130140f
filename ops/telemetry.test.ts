import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type MetricDefinition, metrics } from '../core/runtime/metric-catalogue.ts';

const root = join(import.meta.dirname, '..');
const calls: Readonly<Record<MetricDefinition['kind'], string>> = {
  counter: 'count',
  gauge: 'gauge',
  histogram: 'record',
};

test('every metric that can be watched is emitted by a worker', () => {
  const sources = globSync('workers/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const silent = Object.entries(metrics).filter(
    ([key, { kind }]) => !sources.includes(`metrics.${calls[kind]}('${key}'`),
  );
  assert.equal(
    silent.map(([key]) => key),
    [],
  );
});

test.run();
