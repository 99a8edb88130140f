import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Capacity, computeScale } from './compute.ts';
import { readFigures } from './figures.ts';
import { bench, rates } from './measured.ts';
import { scaleDocument } from './scale-document.ts';
import { stackCost, sumOf } from './stack-costs.ts';
import { sizes as stackSizes } from '../pulumi/sizes.ts';

const capacity: Capacity = { writerVcpus: 8, workerVcpus: 80, cacheGb: 12.9, aroundMonth: 400 };
const sizes = {
  events: 1,
  merchants: 1,
  postgresBytesPerEvent: 1_000,
  postgresBytesPerMerchant: 500,
  redisKeysAtRest: 0,
};

test('what a million merchants take follows from the assumptions', () => {
  const scale = computeScale(1_000_000, sizes, capacity);
  // 30 events a day each, four times as many in the peak.
  assert.is(Math.round(scale.eventsPerSecond), 347);
  assert.is(Math.round(scale.peakPerSecond), 1_389);
  // 30 days of 30 million events of 1,000 bytes, and 500 bytes a merchant.
  assert.is(Math.round(scale.postgresGb * 10) / 10, 900.5);
  assert.is(scale.postgresShards, 1);
  assert.ok(scale.taken.every(({ share }) => share < 1));
});

test('a core is planned with half of about what the benchmarks show, and both stand in the document', () => {
  const results = JSON.parse(readFileSync(new URL('../../docs/benchmarks/results.json', import.meta.url), 'utf8'));
  const document = scaleDocument(readFigures());
  for (const [planned, measured] of [
    [bench.worked, results.sparse.ours],
    [bench.accepted, results.accept.ours],
  ]) {
    assert.match(document, planned.toLocaleString('en-US'));
    assert.ok(measured / planned > 0.7 && measured / planned < 1.5, `planned with ${planned}, measured ${measured}`);
  }
  assert.is(rates.workedPerCoreAndSecond * 2 * bench.cores, bench.worked);
  assert.is(rates.acceptedPerCoreAndSecond * 2 * bench.cores, bench.accepted);
});

test('a hundred million break the production stack, and the fullest limit is named first', () => {
  const { taken, postgresShards, redisPrimaries } = computeScale(100_000_000, sizes, capacity);
  assert.is(taken[0]?.what, "the writer's processors");
  assert.ok((taken[0]?.share ?? 0) > 1);
  assert.equal(
    taken.map(({ share }) => share),
    taken.map(({ share }) => share).toSorted((a, b) => b - a),
  );
  assert.ok(postgresShards > 1 && redisPrimaries > 1);
});

test('every size of a stack has a price, and a larger one costs more', () => {
  const costs = [stackSizes.dev, stackSizes.staging, stackSizes.production].map((size) => sumOf(stackCost(size)));
  assert.equal(
    costs,
    costs.toSorted((a, b) => a - b),
  );
});

test('the kept simulations are of a million merchants, none of whom was forgotten', () => {
  for (const { merchants, open, events } of readFigures().simulations) {
    assert.is(merchants, 1_000_000);
    assert.is(open, 0);
    assert.ok(events > 100_000);
  }
});

test.run();
