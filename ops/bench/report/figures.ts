import { type Bar, drawBars } from '../plot/bars.ts';
import { drawLines } from '../plot/lines.ts';
import type { Spread } from '../statistics.ts';
import type { Results } from './results.ts';

/** What a contender is called where people read. */
const names: Readonly<Record<string, string>> = {
  ours: 'Laneway',
  bullmqUnordered: 'BullMQ, one unordered queue',
  groupmq: 'GroupMQ',
  bullmqPerMerchant: 'BullMQ, a worker per merchant',
  bareLoop: 'bare loop, no queue',
  bullmqAddBulk: 'BullMQ addBulk(100)',
  sqsConsumer: 'sqs-consumer',
  sqsConsumerWithOurClient: 'sqs-consumer with our SQS client',
  quietAlone: 'p99, quiet merchants alone',
  quietBesideNoisy: 'p99, beside a noisy one',
  failing0: 'no merchant fails',
  failing1: '1 % of merchants fail',
  failing5: '5 % of merchants fail',
  killMs: 'kill -9',
  sigtermMs: 'SIGTERM',
};

export const nameOf = (contender: string): string => names[contender] ?? contender;

const barsOf = (spreads: Readonly<Record<string, Spread>>): Bar[] =>
  Object.entries(spreads).map(([contender, { median, min, max }]) => ({
    name: nameOf(contender),
    value: median,
    min,
    max,
  }));

/** Every figure that the results have data for, by file name. */
export function drawFigures(results: Results): Map<string, string> {
  const { lanes, engine, sparse, accept, pipeline, scale, fairness, latency, recovery, memory } = results;
  const figures = new Map<string, string>();
  const contests = { lanes, engine, sparse, accept };
  const titles = {
    lanes: 'Lane layer: enqueue and drain, 1,000 merchants',
    engine: 'Engine: 20 events for each of 1,000 merchants',
    sparse: 'Engine: one event for each of 20,000 merchants',
    accept: 'Accepting: from a received batch to inbox and lanes',
  } as const;
  for (const name of ['lanes', 'engine', 'sparse', 'accept'] as const) {
    const result = contests[name];
    if (result !== undefined) figures.set(name, drawBars(titles[name], 'events per second', barsOf(result.spread)));
  }
  if (results.failing !== undefined)
    figures.set('failing', drawBars('Merchants that do not fail', 'events per second', barsOf(results.failing.spread)));
  if (pipeline !== undefined) {
    figures.set('pipeline', drawBars('From SQS to commit', 'CPU seconds for 1,000 events', barsOf(pipeline.spread)));
    const stages = pipeline.stages.map(({ stage, share }) => ({ name: stage, value: share * 100 }));
    figures.set('stages', drawBars('Where the worker spends its time', 'percent of busy time', stages));
  }
  if (scale !== undefined) {
    const points = scale.rows.map(({ merchants, ours }) => [merchants, ours] as const);
    const options = { xUnit: 'merchants served before', yUnit: 'events per second', xLog: true };
    figures.set('scale', drawLines('1,000 active merchants out of ever more', options, [{ name: 'Laneway', points }]));
  }
  if (fairness !== undefined) {
    const { quietAlone, quietBesideNoisy } = fairness.spread;
    if (quietAlone !== undefined && quietBesideNoisy !== undefined)
      figures.set('fairness', drawBars('Quiet merchants', 'milliseconds', barsOf({ quietAlone, quietBesideNoisy })));
  }
  if (latency !== undefined) {
    const of = (pick: 'p50Ms' | 'p99Ms') => latency.growth.map((each) => [each.percent, each[pick]] as const);
    const options = { xUnit: 'percent of capacity', yUnit: 'milliseconds', yLog: true };
    figures.set(
      'latency',
      drawLines('Publish to commit under load', options, [
        { name: 'p50', points: of('p50Ms') },
        { name: 'p99', points: of('p99Ms') },
      ]),
    );
  }
  if (recovery !== undefined)
    figures.set('recovery', drawBars('Until every lane commits again', 'milliseconds', barsOf(recovery.spread)));
  if (memory !== undefined) {
    const points = memory.heapMbAfterRound.map((heap, index) => [index + 1, heap] as const);
    const options = { xUnit: 'round', yUnit: 'MB of heap' };
    figures.set('memory', drawLines('Heap after each round', options, [{ name: 'heap', points }]));
  }
  return figures;
}
