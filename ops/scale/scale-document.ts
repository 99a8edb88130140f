import { sizes as stackSizes } from '../pulumi/sizes.ts';
import { busyShare, demand, keptDays, limits, standstillSeconds } from './assumptions.ts';
import { type Capacity, type Scale, computeScale } from './compute.ts';
import type { Figures, SimulationFigures } from './figures.ts';
import { bench, convoyCost, rates, safetyFactor } from './measured.ts';
import { type StackCost, stackCost, sumOf } from './stack-costs.ts';

const { worker } = stackSizes.production;
const idleProduction = stackCost(stackSizes.production);
/** db.r8g.2xlarge and cache.m7g.xlarge, as ops/pulumi/sizes.ts has them. */
const production: Capacity = {
  writerVcpus: 8,
  workerVcpus: (worker.max * worker.cpu) / 1_024,
  cacheGb: 12.9,
  aroundMonth: idleProduction.network + idleProduction.observing,
};
const populations = [1_000, 1_000_000, 100_000_000];

/** Three figures that mean something, and no more. */
const rounded = (value: number): string => {
  if (value === 0) return '0';
  const digits = Math.max(0, 1 - Math.floor(Math.log10(Math.abs(value))));
  const factor = 10 ** (value >= 100 ? 2 - Math.floor(Math.log10(value)) : digits);
  return (Math.round(value * factor) / factor).toLocaleString('en-US', { maximumFractionDigits: 3 });
};

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function asked(scales: readonly Scale[]): string[] {
  const rows: [string, (scale: Scale) => string][] = [
    ['events a second, average', (s) => rounded(s.eventsPerSecond)],
    ['events a second, peak', (s) => rounded(s.peakPerSecond)],
    ['processors, Postgres and workers together', (s) => rounded(s.vcpus)],
    ['Postgres shards, of up to 64 processors and 16,000 GB', (s) => rounded(s.postgresShards)],
    [`Postgres, ${keptDays} days of events`, (s) => `${rounded(s.postgresGb)} GB`],
    ['Redis primaries = partitions of the activations', (s) => rounded(s.activationPartitions)],
    [`Redis memory after ${standstillSeconds / 60} minutes of standstill`, (s) => `${rounded(s.redisGb)} GB`],
    ['FIFO queues to split the busiest one into', (s) => rounded(s.fifoQueuesPerEvent)],
    ['DynamoDB writes and reads a second, peak', (s) => rounded(s.dynamoWritesPerSecond)],
    ['dollars a month, in the production stack', (s) => rounded(s.usdPerMonth)],
    ['dollars per million events', (s) => rounded(s.usdPerMillionEvents)],
  ];
  return [
    row('', ...scales.map(({ merchants }) => `${merchants.toLocaleString('en-US')} merchants`)),
    row('---', ...scales.map(() => '---:')),
    ...rows.map(([name, cell]) => row(name, ...scales.map(cell))),
  ];
}

function broken(scales: readonly Scale[]): string[] {
  // `taken` has the fullest first, and all grow alike.
  const names = scales.at(-1)?.taken.map(({ what }) => what) ?? [];
  const share = (scale: Scale, name: string): string => {
    const taken = scale.taken.find(({ what }) => what === name)?.share ?? 0;
    return taken >= 10 ? `${rounded(taken)} ×` : `${rounded(taken * 100)} %`;
  };
  return [
    row('of the production stack, at the peak', ...scales.map(({ merchants }) => merchants.toLocaleString('en-US'))),
    row('---', ...scales.map(() => '---:')),
    ...names.map((name) => row(name, ...scales.map((scale) => share(scale, name)))),
  ];
}

const simulated = (simulations: readonly SimulationFigures[]): string[] => [
  row('', 'events/s', 'database busy', 'quiet p50', 'quiet p99', 'quiet, longest', 'backlog gone after', 'left open'),
  row('---', '---:', '---:', '---:', '---:', '---:', '---:', '---:'),
  ...simulations.map((s) =>
    row(
      s.name,
      s.eventsPerSecond.toLocaleString('en-US'),
      `${Math.round(s.utilisation * 100)} %`,
      `${s.quietP50Ms} ms`,
      `${s.quietP99Ms} ms`,
      `${s.quietMaxMs} ms`,
      `${s.noisyDoneSeconds} s`,
      String(s.open),
    ),
  ),
];

/** Small, medium and large are the three stacks that there are. */
function idle(): string[] {
  const stacks = [
    ['small (dev)', stackCost(stackSizes.dev)],
    ['medium (staging)', stackCost(stackSizes.staging)],
    ['large (production)', idleProduction],
  ] as const satisfies readonly (readonly [string, StackCost])[];
  const parts = ['postgres', 'redis', 'tasks', 'network', 'observing'] as const;
  return [
    row('dollars a month', ...parts, 'all'),
    row('---', ...parts.map(() => '---:'), '---:'),
    ...stacks.map(([name, cost]) => row(name, ...parts.map((part) => rounded(cost[part])), rounded(sumOf(cost)))),
  ];
}

/** docs/scale.md. */
export function scaleDocument({ sizes, simulations }: Figures): string {
  const scales = populations.map((merchants) => computeScale(merchants, sizes, production));
  const merchants = simulations[0]?.merchants.toLocaleString('en-US') ?? '0';
  const served = Math.max(...simulations.map(({ merchantsServed }) => merchantsServed)).toLocaleString('en-US');
  return `${[
    '# Scale on paper',
    '',
    'Made by `npm run scale` from `ops/scale/`; do not edit. Computed, not run: the figures it rests on were measured on two',
    'shared cores, and everything beyond is multiplication. Read orders of magnitude.',
    '',
    '## From what',
    '',
    `**Measured.** On the ${bench.cores} cores of [benchmarks.md](benchmarks.md), which also carried Postgres and Redis, ${whole(bench.worked)} events/s were`,
    `worked with one event a lane, and ${whole(bench.accepted)} accepted, SQS and DynamoDB left out. An activation takes ${rates.redisMicrosPerActivation} µs of Redis.`,
    `After a run of ${sizes.events.toLocaleString('en-US')} events of ${sizes.merchants.toLocaleString('en-US')} merchants an event had left ${sizes.postgresBytesPerEvent.toLocaleString('en-US')} bytes in Postgres with its indexes,`,
    `a merchant ${sizes.postgresBytesPerMerchant.toLocaleString('en-US')}, and in Redis ${sizes.redisKeysAtRest} keys of lanes were left (\`npm run scale -- --measure\`).`,
    '',
    `**Planned with** for a core is its share divided by ${safetyFactor}: ${whole(rates.workedPerCoreAndSecond)} worked, ${whole(rates.acceptedPerCoreAndSecond)} accepted. Production is not the bench: its`,
    'Postgres answers over a network and writes to three zones, SQS and DynamoDB come on top, payloads are larger, and handlers do',
    "more than the catalog's. By how much, nobody has measured.",
    '',
    `**Assumed**, in \`ops/scale/assumptions.ts\`: ${demand.eventsPerMerchantAndDay} events a merchant and day, a peak of ${demand.peakToAverage} times the average, ${demand.messagesPerRequest} messages a`,
    `request, nothing busier than ${busyShare * 100} %, half of the processors' work Postgres', list prices from memory.`,
    '',
    '## What it takes',
    '',
    ...asked(scales),
    '',
    '## What a stack costs before its first event',
    '',
    'With the least number of tasks that `sizes.ts` gives it. "Network" is addresses, endpoints, balancers, keys and firewall;',
    '"observing" alarms, metrics and 20 GB of logs.',
    '',
    ...idle(),
    '',
    '## What breaks first',
    '',
    'What the peak takes of each limit of the stack that `sizes.ts` declares for production; what is over 100 % breaks, the largest',
    'first.',
    '',
    ...broken(scales),
    '',
    '- **1 thousand** fit into the dev stack. What is paid for is there whatever the load: addresses, balancers, a second database.',
    "- **1 million** fit into production as it is declared. First to become narrow is Postgres' writer: take a larger class. Then",
    '  Redis: raise `LANEWAY_ACTIVATION_PARTITIONS` and give it a cluster; lanes and partitions carry hash tags already.',
    '- **100 million** need merchants split over several Postgres databases. Every table of the path has `merchant_id`, and the only',
    '  transactions that span merchants (accepting a batch, a convoy) can be split by it. That is not built: a router from merchant to',
    '  database in the poller, the gateway, the relay and the sweeper, one fleet for each shard, and a move of a merchant from one to',
    '  another while its lane is drained. The queues of the busiest events become several each, chosen by the hash of the merchant, and',
    `  DynamoDB's tables ask AWS for more than ${limits.tableWritesPerSecond.toLocaleString('en-US')} writes a second. A merchant of its own is bound by its message group:`,
    `  ${limits.groupCallsPerSecond} calls a second.`,
    '',
    '## The scheduler at a million merchants',
    '',
    `\`workers/crew.ts\`, \`turns.ts\` and \`lane-limits.ts\` as they are, over stores that are simulated, in virtual time: ${merchants}`,
    `merchants (${served} of them served in one run), 32 crews, a database with 8 processors on which a convoy takes`,
    `${convoyCost.convoyMs} ms and ${convoyCost.laneMs} ms a lane and ${convoyCost.eventMs} ms an event, as [0005](decisions/0005-convoys.md) measured and more than it takes today. Events`,
    'fall on merchants evenly, which is the sparse case and the hardest; one merchant has a backlog of 100,000 from the beginning.',
    '"Quiet" are all others: the time from acceptance to commit.',
    '',
    ...simulated(simulations),
    '',
    'Nobody is forgotten, nobody is claimed twice (the simulation would throw), and the backlog of one costs the others a convoy: its',
    'quantum sends it to the tail. What the simulation leaves out: failures, lanes that are worked alone, the way to Redis and back.',
  ].join('\n')}\n`;
}
