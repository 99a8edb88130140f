import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import type { RunningChild } from '../../local/child-process.ts';
import { type BenchContext, scaled, worthTrying } from '../context.ts';
import { bestOf, holdContest, judgeContest } from '../contest.ts';
import { cpuSeconds, treeCpuSeconds } from '../cpu.ts';
import { type Fleet, createFleet } from '../fleet.ts';
import { type BenchEvent, merchantIds, productEvents } from '../load.ts';
import { assertApplied, createSeen } from '../peers/bare-loop.ts';
import { type CpuProfile, attributeProfile } from '../profile/attribute.ts';
import { sendEvents } from '../send-events.ts';
import { assertSettledInOrder, awaitCursors } from '../settled.ts';
import { median, round } from '../statistics.ts';

const merchants = 200;

interface Load {
  warmUp: readonly BenchEvent[];
  measured: readonly BenchEvent[];
}

/** CPU seconds for 1,000 events: of the process measured, and of the servers that it makes work. */
interface Cost {
  own: number;
  postgres: number;
  redis: number;
  emulator: number;
}

/** Whose SQS client a consumer has: the one that sqs-consumer makes when it is given none, or ours. */
type PeerClient = 'its-own' | 'ours';

/**
 * From an SQS message to the committed effect, everything on, in CPU seconds of the one process: the emulator bounds
 * events per second for everybody. The process first works a load by which its code is compiled, as it is in a process that
 * runs for days, then is stopped while its queue fills, and is charged for what it uses from there until the last effect is
 * committed.
 */
export async function runPipeline(context: BenchContext) {
  const { say, pairs } = context;
  const ids = merchantIds(scaled(context, merchants, 5));
  const load: Load = {
    warmUp: productEvents({ merchants: ids, each: 25, salt: 'warm' }),
    measured: productEvents({ merchants: ids, each: 50 }),
  };
  const costs: Record<'ours' | 'sqsConsumer' | 'sqsConsumerWithOurClient', Cost[]> = {
    ours: [],
    sqsConsumer: [],
    sqsConsumerWithOurClient: [],
  };
  const best = await bestOf(
    worthTrying(context, [8, 2]),
    async (consumers) => 1 / (await runPeer(context, load, consumers, 'its-own')).own,
  );
  say(`sqs-consumer with ${best.setting} consumers`);
  const rounds = await holdContest({
    pairs,
    say,
    contenders: {
      ours: async () => keep(costs.ours, await runOurs(context, load)),
      sqsConsumer: async () => keep(costs.sqsConsumer, await runPeer(context, load, best.setting, 'its-own')),
      sqsConsumerWithOurClient: async () =>
        keep(costs.sqsConsumerWithOurClient, await runPeer(context, load, best.setting, 'ours')),
    },
  });
  const stages = await profileOurs(context, load);
  const { medians, ...judged } = judgeContest(rounds, 'lower');
  return {
    unit: 'CPU seconds of the process for 1,000 events',
    ...medians,
    ...judged,
    servers: {
      ours: medianCost(costs.ours),
      sqsConsumer: medianCost(costs.sqsConsumer),
      sqsConsumerWithOurClient: medianCost(costs.sqsConsumerWithOurClient),
    },
    ratiosWithStores: {
      sqsConsumer: ratioWithStores(costs.sqsConsumer, costs.ours),
      sqsConsumerWithOurClient: ratioWithStores(costs.sqsConsumerWithOurClient, costs.ours),
    },
    stages,
    pairs,
    events: load.measured.length,
    tried: { sqsConsumer: Object.keys(best.tried) },
  };
}

function keep(costs: Cost[], cost: Cost): number {
  costs.push(cost);
  return cost.own;
}

const medianCost = (costs: readonly Cost[]): Omit<Cost, 'own'> => ({
  postgres: round(median(costs.map((cost) => cost.postgres))),
  redis: round(median(costs.map((cost) => cost.redis))),
  emulator: round(median(costs.map((cost) => cost.emulator))),
});

/** Their process, Postgres and Redis together, divided by ours in the same round: the median of all rounds. */
function ratioWithStores(theirs: readonly Cost[], ours: readonly Cost[]): number {
  const all = ({ own, postgres, redis }: Cost) => own + postgres + redis;
  return round(median(theirs.flatMap((cost, at) => (ours[at] === undefined ? [] : [all(cost) / all(ours[at])]))));
}

async function runOurs(context: BenchContext, load: Load, profile?: string): Promise<Cost> {
  await using fleet = await createFleet(context.servers);
  const settings = profile === undefined ? {} : { BENCH_PROFILE: profile };
  const worker = await fleet.startWorker({ name: 'worker', settings });
  const settled = (count: number) => awaitCursors(fleet.database.db, count);
  const toggle = profile === undefined ? () => undefined : () => toggleProfile(worker);
  const cost = await charge(context, fleet, worker, load, { settled, around: toggle });
  if (profile !== undefined) await appears(profile);
  await assertSettledInOrder(fleet.database.db, load.warmUp.length + load.measured.length);
  return cost;
}

async function runPeer(context: BenchContext, load: Load, consumers: number, client: PeerClient): Promise<Cost> {
  await using fleet = await createFleet(context.servers);
  const { db, url } = fleet.database;
  await createSeen(db);
  const consumer = await fleet.startProgram('peers/sqs-consumer-process.ts', {
    CLIENT: client,
    CONSUMERS: String(consumers),
    POSTGRES_URL: url,
    QUEUE_URL: fleet.queueUrl,
  });
  const applied = async (count: number) => {
    for (;;) {
      const { rows } = await sql<{ count: number }>`select count(*) as count from seen`.execute(db);
      if ((rows[0]?.count ?? 0) >= count) return;
      if (!consumer.running) throw new Error('the consumer is gone');
      await clock.sleep(50);
    }
  };
  const cost = await charge(context, fleet, consumer, load, { settled: applied, around: () => undefined });
  await assertApplied(db, load.warmUp.length + load.measured.length);
  return cost;
}

async function charge(
  { servers }: BenchContext,
  fleet: Fleet,
  child: RunningChild,
  { warmUp, measured }: Load,
  { settled, around }: { settled: (count: number) => Promise<void>; around: () => void },
): Promise<Cost> {
  const { emulator } = (await servers.emulators()).pids;
  await sendEvents(fleet.sqs, fleet.queueUrl, warmUp);
  await settled(warmUp.length);
  process.kill(child.pid, 'SIGSTOP');
  try {
    await sendEvents(fleet.sqs, fleet.queueUrl, measured);
  } finally {
    process.kill(child.pid, 'SIGCONT');
  }
  const read = (): Cost => ({
    own: cpuSeconds(child.pid),
    postgres: treeCpuSeconds(servers.pids.postgres),
    redis: cpuSeconds(servers.pids.redis),
    emulator: cpuSeconds(emulator),
  });
  around();
  const before = read();
  await settled(warmUp.length + measured.length);
  const after = read();
  around();
  const per = (name: keyof Cost) => ((after[name] - before[name]) / measured.length) * 1_000;
  return { own: per('own'), postgres: per('postgres'), redis: per('redis'), emulator: per('emulator') };
}

async function appears(file: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (existsSync(file) && readFileSync(file, 'utf8').endsWith('}')) return;
    await clock.sleep(20);
  }
  throw new Error('the worker wrote no profile');
}

/** One more run under V8's profiler, which costs too much to be on while others are compared. */
async function profileOurs(context: BenchContext, load: Load) {
  const file = join(mkdtempSync(join(context.servers.dir, 'profile-')), 'worker.cpuprofile');
  await runOurs(context, load, file);
  // V8 wrote it: the shape is its own.
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  return attributeProfile(profile).map(({ stage, share, ms }) => ({ stage, share: round(share), ms: Math.round(ms) }));
}

/** Tells a worker that profiles itself to begin, or to end and write its profile. */
const toggleProfile = (child: RunningChild): void => void process.kill(child.pid, 'SIGUSR2');
