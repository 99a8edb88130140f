import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from './clock.ts';
import { silentLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { collector } from '../testing/collector.ts';

const clock = { ...systemClock, now: () => 1_700_000_000_000 };
const settings = { service: 'worker-1', clock, log: silentLog, everyMs: 60_000 };

test('a collector gets what was counted, set and recorded, as OTLP has it', async () => {
  await using receiver = await collector();
  const metrics = createMetrics({
    ...settings,
    endpoint: receiver.endpoint,
    observe: () => metrics.gauge('outboxLag', {}, 3),
  });
  metrics.start();
  metrics.count('handlerRuns', { handler: 'a' });
  metrics.count('handlerRuns', { handler: 'a' }, 2);
  for (const ms of [1, 16, 17, 1_000]) metrics.record('eventLatency', { event: 'E' }, ms);
  await metrics.stop();
  const [body] = receiver.bodies;
  const sent = JSON.parse(body ?? '{}');
  const times = { startTimeUnixNano: '1700000000000000000', timeUnixNano: '1700000000000000000' };
  assert.equal(sent.resourceMetrics[0].resource.attributes, [
    { key: 'service.name', value: { stringValue: 'worker-1' } },
  ]);
  const [runs, latency, lag] = sent.resourceMetrics[0].scopeMetrics[0].metrics;
  assert.equal(runs, {
    name: 'laneway.handler.runs',
    unit: '1',
    sum: {
      aggregationTemporality: 1,
      isMonotonic: true,
      dataPoints: [{ attributes: [{ key: 'handler', value: { stringValue: 'a' } }], ...times, asDouble: 3 }],
    },
  });
  const [point] = latency.exponentialHistogram.dataPoints;
  assert.equal([point.count, point.sum, point.min, point.max, point.scale], ['4', 1_034, 1, 1_000, 2]);
  // Buckets end at 2^((offset + index + 1) / 4): 1 is in the one up to 1, 16 in the one up to 16, 17 in the next.
  assert.is(point.positive.offset, -1);
  const filled = point.positive.bucketCounts.flatMap((n: string, i: number) =>
    n === '0' ? [] : [i + point.positive.offset],
  );
  assert.equal(filled, [-1, 15, 16, 39]);
  assert.equal(lag.gauge.dataPoints, [{ attributes: [], ...times, asDouble: 3 }]);
});

test('a collector that refuses costs its figures and nothing else; without one nothing is kept', async () => {
  await using receiver = await collector(503);
  const metrics = createMetrics({ ...settings, endpoint: receiver.endpoint });
  metrics.count('fenceRefusals', {});
  await metrics.stop();
  assert.is(receiver.bodies.length, 1);
  const none = createMetrics({ ...settings, endpoint: undefined });
  none.count('fenceRefusals', {});
  await none.stop();
});

test.run();
