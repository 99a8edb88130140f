import { type BenchContext, scaled, worthTrying } from '../context.ts';
import { type Round, bestOf, holdContest, judgeContest } from '../contest.ts';
import { runLaneLayer } from '../lane-layer.ts';
import { merchantIds } from '../load.ts';
import { runBullmqPerMerchant } from '../peers/bullmq-per-merchant.ts';
import { type QueueRates, type QueueRun, runBullmqUnordered } from '../peers/bullmq-unordered.ts';
import { runGroupmq } from '../peers/groupmq.ts';

const each = 20;

/**
 * The lane layer alone, 1,000 merchants with 20 events: enqueue everything, then drain it into a handler that does nothing.
 * Every contender carries the same small pointers; the figure is jobs per second over both phases.
 */
export async function runLanes(context: BenchContext) {
  const { say, pairs } = context;
  const { redisUrl } = context.servers;
  const merchants = merchantIds(scaled(context, 1_000, 20));
  const jobs: QueueRun['jobs'] = Array.from({ length: each }, (_, turn) =>
    merchants.map((merchantId) => ({
      merchantId,
      data: { mseq: turn + 1, type: 'event', correlationId: `c-${turn + 1}` },
    })),
  ).flat();
  const sample = jobs.slice(0, Math.max(merchants.length, Math.floor(jobs.length / 4)));
  const sweep = (run: (queue: QueueRun) => Promise<QueueRates>, concurrencies: readonly [number, ...number[]]) =>
    bestOf(
      worthTrying(context, concurrencies),
      async (concurrency) => (await run({ redisUrl, jobs: sample, concurrency })).both,
    );

  const best = {
    ours: await sweep(runLaneLayer, [1, 3]),
    bullmqUnordered: await sweep(runBullmqUnordered, [16, 50, 150]),
    groupmq: await sweep(runGroupmq, [4, 16, 64]),
  };
  say(
    `concurrency: ${Object.entries(best)
      .map(([name, { setting }]) => `${name} ${setting}`)
      .join(', ')}`,
  );

  const phases = { enqueue: {} as Record<string, number[]>, drain: {} as Record<string, number[]> };
  const measure = (name: string, run: () => Promise<QueueRates>) => async () => {
    const { enqueue, drain, both } = await run();
    (phases.enqueue[name] ??= []).push(enqueue);
    (phases.drain[name] ??= []).push(drain);
    return both;
  };
  const at = (name: keyof typeof best, run: (queue: QueueRun) => Promise<QueueRates>) =>
    measure(name, () => run({ redisUrl, jobs, concurrency: best[name].setting }));
  const rounds = await holdContest({
    pairs,
    say,
    contenders: {
      ours: at('ours', runLaneLayer),
      bullmqUnordered: at('bullmqUnordered', runBullmqUnordered),
      groupmq: at('groupmq', runGroupmq),
      bullmqPerMerchant: measure('bullmqPerMerchant', () => runBullmqPerMerchant({ redisUrl, jobs })),
    },
  });
  const phaseRounds = (rates: Record<string, number[]>): Round[] =>
    rounds.map((_, pair) => Object.fromEntries(Object.entries(rates).map(([name, list]) => [name, list[pair] ?? 0])));
  const { medians, ...judged } = judgeContest(rounds);
  return {
    ...medians,
    ...judged,
    enqueue: judgeContest(phaseRounds(phases.enqueue)),
    drain: judgeContest(phaseRounds(phases.drain)),
    pairs,
    events: jobs.length,
    tried: Object.fromEntries(Object.entries(best).map(([name, { tried }]) => [name, tried])),
  };
}
