import { readable } from '../plot/svg.ts';
import type { Spread } from '../statistics.ts';
import { drawFigures, nameOf } from './figures.ts';
import type { Results } from './results.ts';

const begin = '<!-- bench: written by npm run bench -- --write -->';
const end = '<!-- /bench -->';

/** What the ratio of a part is asked to be. `most`: a cost that may not exceed it. */
const bars: Readonly<Record<string, Readonly<Record<string, { least?: number; most?: number }>>>> = {
  lanes: { bullmqUnordered: { least: 1 }, groupmq: { least: 1 }, bullmqPerMerchant: { least: 2 } },
  engine: { bullmqUnordered: { least: 2 }, bareLoop: { least: 6 } },
  sparse: { bareLoop: { least: 2 } },
  accept: { bullmqAddBulk: { least: 0.5 } },
  pipeline: { sqsConsumer: { least: 1.5 } },
};

/** Puts the part that is made from results between its markers, and leaves what others wrote around it as it is. */
export function replacePart(page: string, part: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  const framed = `${begin}\n\n${part.trim()}\n\n${end}`;
  if (from === -1 || to === -1) return `${page.trimEnd()}\n\n${framed}\n`.trimStart();
  return page.slice(0, from) + framed + page.slice(to + end.length);
}

export function writePart(results: Results): string {
  const figures = drawFigures(results);
  const image = (name: string, title: string) => (figures.has(name) ? `![${title}](benchmarks/${name}.svg)\n` : '');
  const sections = [
    contests(results, image),
    failingSection(results, image),
    pipelineSection(results, image),
    scaleSection(results, image),
    timesSection(results, image),
  ];
  return [conditions(results), ...sections.filter((section) => section !== '')].join('\n\n');
}

type Image = (name: string, title: string) => string;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const withSpread = ({ median, min, max }: Spread): string =>
  `${readable(median)} (${readable(min)} to ${readable(max)})`;

function conditions({ machine, versions, settings, date, options }: Results): string {
  const list = (record: Readonly<Record<string, string>>) =>
    Object.entries(record)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  return [
    `Measured on ${date}: ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, ${machine.platform}. Medians of`,
    `${options.pairs} pairs with their smallest and largest value; ratios are taken within a pair, in which everyone ran on`,
    `the same servers one after the other. Each part begins with a checkpoint and emulators of its own. Scale ${options.scale}.`,
    '',
    `- Versions: ${list(versions)}.`,
    `- Durability: ${list(settings)}. Postgres also keeps commit timestamps, from which commits are timed.`,
    '- Repeat: `npm run bench`, or a part of it, as in `npm run bench -- engine --pairs 3`.',
    '- A run that did not settle every event once and in order has no figure: it ends the bench.',
  ].join('\n');
}

function contests(results: Results, image: Image): string {
  const told = {
    lanes:
      'Pointers and activations in and out of Redis, a handler that does nothing, Postgres on neither side. Everyone carries the same small payload and runs at the best concurrency of a few that were tried.',
    engine:
      'A backlog in the inbox, worked to the last commit: fence, cursor, settlements, catalog handler. BullMQ drains the same bodies into a handler that does nothing and commits nothing; the bare loop applies events from memory, a transaction each, merchants side by side, at its best number of connections. Connections to Postgres have worked other events before the clock starts.',
    sparse: 'The same with nothing to gather within a lane.',
    accept:
      'Received batches to inbox rows, pointers and activations; SQS and DynamoDB left out. BullMQ adds the same bodies to one queue. Connections to Postgres have accepted other events before the clock starts.',
  } as const;
  const parts = (['lanes', 'engine', 'sparse', 'accept'] as const).flatMap((name) => {
    const result = results[name];
    if (result === undefined) return [];
    const rows = Object.entries(result.spread).map(([contender, spread]) => [
      nameOf(contender),
      withSpread(spread),
      ...ratioCells(name, contender, result.ratioSpread),
    ]);
    return [
      `### ${title(name)}\n\n${told[name]}\n\n${image(name, title(name))}\n${table(['', 'events/s', 'Laneway is', 'asked for'], rows)}${extra(name, results)}`,
    ];
  });
  return parts.join('\n\n');
}

function extra(name: 'lanes' | 'engine' | 'sparse' | 'accept', { engine, lanes }: Results): string {
  if (name === 'engine' && engine !== undefined) {
    const { events, ours, ratios } = engine.deep;
    return `\n\nOne lane alone with ${readable(events)} events behind its cap: ${readable(ours)} events/s, ${readable(ratios['shallow'] ?? Number.NaN)} of the shallow ones (asked for: at least 0.5).`;
  }
  if (name === 'lanes' && lanes !== undefined) {
    const rows = Object.keys(lanes.spread).map((contender) => [
      nameOf(contender),
      ...[lanes.enqueue, lanes.drain].map(({ spread }) => {
        const own = spread[contender];
        return own === undefined ? '' : withSpread(own);
      }),
    ]);
    return `\n\nThe two phases on their own:\n\n${table(['', 'enqueue, jobs/s', 'drain, jobs/s'], rows)}`;
  }
  return '';
}

function ratioCells(part: string, contender: string, ratios: Readonly<Record<string, Spread>>): [string, string] {
  const ratio = ratios[contender];
  if (ratio === undefined) return ['', ''];
  const bar = bars[part]?.[contender];
  if (bar?.least === undefined) return [`${withSpread(ratio)} ×`, ''];
  return [`${withSpread(ratio)} ×`, `≥ ${bar.least} ×, ${ratio.median >= bar.least ? 'met' : 'missed'}`];
}

function failingSection({ failing }: Results, image: Image): string {
  if (failing === undefined) return '';
  const rows = Object.entries(failing.spread).map(([name, spread]) => {
    const left = failing.ratioSpread[name];
    return [nameOf(name), withSpread(spread), left === undefined ? '' : withSpread(left)];
  });
  return `### Failing neighbours

The engine's load while every event of some merchants fails, each time, and nothing says whose it was: their convoys are halved
until they are alone. The figures are of the merchants that do not fail.

${image('failing', 'Failing neighbours')}
${table(['', 'events/s', 'of that without failures'], rows)}`;
}

function pipelineSection({ pipeline }: Results, image: Image): string {
  if (pipeline === undefined) return '';
  const rows = Object.entries(pipeline.spread).map(([contender, spread]) => {
    const servers = pipeline.servers[contender] ?? {};
    const cells = ['postgres', 'redis', 'emulator'].map((name) => readable(servers[name] ?? Number.NaN));
    return [
      nameOf(contender),
      withSpread(spread),
      ...cells,
      ...ratioCells('pipeline', contender, pipeline.ratioSpread),
    ];
  });
  const withStores = pipeline.ratiosWithStores?.['sqsConsumer'];
  const stores =
    withStores === undefined
      ? ''
      : `\nWith Postgres and Redis, whose work both cause, sqs-consumer takes ${readable(withStores)} times as much.\n`;
  const stages = pipeline.stages.map(({ stage, share }) => [stage, `${readable(share * 100)} %`]);
  return `### Pipeline

From a message in SQS to the committed effect, everything on, in CPU seconds for 1,000 events. sqs-consumer receives full
batches from the same FIFO queue, keeps groups in order and applies an event in a transaction. It makes its SQS client itself
where it is given none; with ours, which sends its requests another way, it is measured as well.

${image('pipeline', 'Pipeline')}
${table(['', 'own process', 'Postgres', 'Redis', 'emulator', 'Laneway is', 'asked for'], rows)}
${stores}
A profile of the worker, by the stage that asked for the work; what a socket called belongs to its library:

${image('stages', 'Stages')}
${table(['stage', 'share of busy time'], stages)}`;
}

function scaleSection({ scale }: Results, image: Image): string {
  if (scale === undefined) return '';
  const rows = scale.rows.map((row) => [
    readable(row.merchants),
    readable(row.ours),
    readable(row.redisClients),
    readable(row.idleCommandsPerSecond),
    readable(row.redisBytesPerIdleMerchant),
  ]);
  const head = ['served before', 'events/s', 'Redis clients', 'idle commands/s', 'Redis bytes per idle merchant'];
  return `### Scale

1,000 merchants with 20 events each, drawn from more and more that have all been served before. With the most there is
${readable(scale.ratios['throughput100kTo1k'] ?? Number.NaN)} of the throughput with the fewest (asked for: at least 0.8).

${image('scale', 'Scale')}
${table(head, rows)}`;
}

function timesSection({ fairness, latency, recovery, memory }: Results, image: Image): string {
  const parts: string[] = [];
  if (fairness !== undefined) {
    const ratio = fairness.ratioSpread['quietP99'];
    parts.push(`### Fairness

200 quiet merchants, alone and beside one with a backlog of ${readable(fairness.backlog)}: the 99th percentile of their dwell
time is ${ratio === undefined ? '' : withSpread(ratio)} times as long (asked for: at most 2).

${image('fairness', 'Fairness')}`);
  }
  if (latency !== undefined)
    parts.push(`### Latency

On an idle fleet an event is committed ${readable(latency.idle.p50Ms)} ms after its publication (p99 ${readable(latency.idle.p99Ms)} ms).
The emulator alone hands a message to a waiting receive after ${readable(latency.emulator.p50Ms)} ms (p99 ${readable(latency.emulator.p99Ms)} ms), which leaves
${readable(latency.over.p50Ms)} ms and ${readable(latency.over.p99Ms)} ms for us (asked for: at most 25 and 100). Capacity of the whole path with the emulator
here: ${readable(latency.capacityPerSecond)} events/s.

${image('latency', 'Latency')}`);
  if (recovery !== undefined) {
    const { killMs, sigtermMs } = recovery.spread;
    parts.push(`### Recovery

One of two workers ends under load; the time until every merchant that was behind commits again. After kill -9
${killMs === undefined ? '' : withSpread(killMs)} ms with a lease of ${readable(recovery.leaseMs)} ms (asked for: lease + 5 s), after SIGTERM ${sigtermMs === undefined ? '' : withSpread(sigtermMs)} ms (asked
for: 1 s).

${image('recovery', 'Recovery')}`);
  }
  if (memory !== undefined)
    parts.push(`### Memory

Heap after each of ${memory.heapMbAfterRound.length} rounds over ${readable(memory.merchants)} merchants, garbage collected: ${memory.heapMbAfterRound.map(readable).join(', ')} MB.
The largest is ${readable(memory.ratios['largestToFirst'] ?? Number.NaN)} of the first (asked for: at most 1.1).

${image('memory', 'Memory')}`);
  return parts.join('\n\n');
}

const title = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
