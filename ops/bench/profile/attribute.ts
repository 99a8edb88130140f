/** As V8 writes it: a tree of call frames, and for each sample the node that ran and how long, in microseconds. */
export interface CpuProfile {
  nodes: readonly ProfileNode[];
  samples: readonly number[];
  timeDeltas: readonly number[];
}

export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: readonly number[];
}

export interface StageShare {
  stage: string;
  /** Of the time in which the process was not idle. */
  share: number;
  ms: number;
}

/** Where a stage's work is found, most telling first. A file of ours that none names counts as `our other files`. */
const ourStages: readonly (readonly [stage: string, files: RegExp])[] = [
  ['decode', /\/workers\/(decode|message|claim-check)\.ts|\/core\/events\/(envelope|unstorable|versions)\.ts/],
  ['dedupe (DynamoDB)', /\/workers\/(dedupe|confirm-marks)\.ts/],
  ['accept', /\/workers\/(accept[\w-]*|admit)\.ts/],
  ['lanes and activations', /\/workers\/(lanes|activat[\w-]*|wake-[\w-]*|actors|crew|leases?|work-signal)\.ts/],
  ['handlers', /\/core\/contexts\//],
  [
    'act: fence, window, settle',
    /\/workers\/(act|convoy|fence|window|settle|lane-transaction|execute[\w-]*|deliveries|seal-bodies)\.ts/,
  ],
  ['poll and acknowledge (SQS)', /\/workers\/(poll|acknowledge|pipeline|intake[\w-]*)\.ts/],
  ['relay, effects, sweep', /\/workers\/(outbox[\w-]*|effect[\w-]*|sweep)\.ts/],
];

const libraries: readonly (readonly [stage: string, files: RegExp])[] = [
  ['BullMQ', /\/node_modules\/(bullmq|msgpackr)\//],
  ['Redis client', /\/node_modules\/(ioredis|redis-parser|@ioredis|denque|standard-as-callback)\//],
  ['Postgres client', /\/node_modules\/(pg|pg-[\w-]+|postgres-[\w-]+|kysely)\//],
  ['AWS clients', /\/node_modules\/(@aws-sdk|@smithy|@aws|bowser|undici)\//],
];

const ours = /\/(core|workers)\/(?!.*node_modules).*\.ts$/;
/** What every stage uses says nothing about who asked: the search goes on above it. */
const shared = /\/core\/(clients|runtime|database)\//;
/** The bench itself, as where it starts the profiler. */
const bench = /\/ops\/bench\//;
const collected = new Set(['(garbage collector)']);
const idle = new Set(['(idle)', '(root)']);

/**
 * Shares of the busy time by stage. A sample belongs to the nearest frame of a stage above it, whichever library it was in;
 * without one, as in a callback from a socket, to the library; without that to Node and what all stages share.
 */
export function attributeProfile(profile: CpuProfile): readonly StageShare[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const stages = new Map(profile.nodes.map((node) => [node.id, stageOf(node, parents, nodes)]));
  const microseconds = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const stage = stages.get(id);
    if (stage === undefined) continue;
    microseconds.set(stage, (microseconds.get(stage) ?? 0) + (profile.timeDeltas[index] ?? 0));
  }
  const total = [...microseconds.values()].reduce((sum, each) => sum + each, 0);
  return [...microseconds]
    .map(([stage, each]) => ({ stage, share: each / total, ms: each / 1_000 }))
    .toSorted((a, b) => b.share - a.share);
}

/** Undefined while the process did nothing. */
function stageOf(
  leaf: ProfileNode,
  parents: ReadonlyMap<number, number>,
  nodes: ReadonlyMap<number, ProfileNode>,
): string | undefined {
  const { functionName } = leaf.callFrame;
  if (idle.has(functionName)) return undefined;
  if (collected.has(functionName)) return 'garbage collection';
  let library: string | undefined;
  for (let node: ProfileNode | undefined = leaf; node !== undefined; node = nodes.get(parents.get(node.id) ?? -1)) {
    const { url } = node.callFrame;
    if (bench.test(url)) return undefined;
    const stage = ourStages.find(([, files]) => files.test(url))?.[0];
    if (stage !== undefined) return stage;
    if (ours.test(url) && !shared.test(url)) return 'our other files';
    library ??= libraries.find(([, files]) => files.test(url))?.[0];
  }
  return library ?? 'Node runtime and shared code';
}
