import { connectRedis } from '../../../core/clients/redis.ts';
import { type BenchContext, scaled, worthTrying } from '../context.ts';
import { bestOf, holdContest, judgeContest } from '../contest.ts';
import { type BenchEvent, type LoadShape, merchantIds, productEvents } from '../load.ts';
import { createOurs, toAcceptable } from '../ours.ts';
import { runBareLoop } from '../peers/bare-loop.ts';
import { runBullmqUnordered } from '../peers/bullmq-unordered.ts';
import { assertSettledInOrder, awaitCursors, lastCommitMs } from '../settled.ts';
import { median, round, roundSpread, spreadOf } from '../statistics.ts';
import { warmUpEngine, warmUpRounds } from '../warm-up.ts';

const acceptedAtOnce = 200;

/**
 * A backlog of 20 events for each of 1,000 merchants, written through accept and then worked by the whole engine. Beside it
 * one lane at its cap with 100,000 events behind it: depth must not make a lane slow.
 */
export async function runEngine(context: BenchContext) {
  const events = productEvents(engineShape(context));
  const contest = await engineContest(context, events, { bullmq: true });
  const depth = scaled(context, 100_000, 200);
  const deep: number[] = [];
  for (let n = 0; n < Math.min(3, context.pairs); n++) {
    deep.push(await runOurs(context, productEvents({ merchants: merchantIds(1), each: depth })));
    context.say(`deep lane ${n + 1}: ${round(deep.at(-1) ?? 0)}`);
  }
  return {
    ...contest,
    deep: {
      events: depth,
      ours: round(median(deep)),
      spread: roundSpread(spreadOf(deep)),
      ratios: { shallow: round(median(deep) / (contest['ours'] ?? Number.NaN)) },
    },
  };
}

/** One event for each of 20,000 merchants: nothing to gather within a lane. */
export async function runSparse(context: BenchContext) {
  const merchants = merchantIds(scaled(context, 20_000, 50));
  return await engineContest(context, productEvents({ merchants, each: 1 }), { bullmq: false });
}

const engineShape = (context: BenchContext): LoadShape => ({
  merchants: merchantIds(scaled(context, 1_000, 20)),
  each: 20,
});

async function engineContest(
  context: BenchContext,
  events: readonly BenchEvent[],
  { bullmq }: { bullmq: boolean },
): Promise<Record<string, unknown> & { ours?: number }> {
  const { servers, say } = context;
  const jobs = events.map(({ merchantId, body }) => ({ merchantId, data: JSON.parse(body) as object }));
  const sample = Math.max(1, Math.floor(events.length / 4));
  const bareLoop = async (concurrency: number, share = events) => {
    await using database = await servers.createDatabase();
    return await runBareLoop({ database, events: share, warmUp: warmUpRounds(context), concurrency });
  };
  const unordered = async (concurrency: number, share = jobs) =>
    (await runBullmqUnordered({ redisUrl: servers.redisUrl, jobs: share, concurrency })).drain;

  // Also the warm-up: ours runs each time that the bare loop is tried, so that everybody's code has run before the clock counts.
  const bestLoop = await bestOf(worthTrying(context, [8, 4, 16, 32]), async (c) => {
    await runOurs(context, events.slice(0, sample));
    return await bareLoop(c, events.slice(0, sample));
  });
  const bestQueue = await bestOf(worthTrying(context, [50, 16, 150]), (c) =>
    bullmq ? unordered(c, jobs.slice(0, sample)) : Promise.resolve(0),
  );
  say(`bare loop at ${bestLoop.setting} connections${bullmq ? `, BullMQ at concurrency ${bestQueue.setting}` : ''}`);
  const rounds = await holdContest({
    pairs: context.pairs,
    say,
    contenders: {
      ours: () => runOurs(context, events),
      ...(bullmq ? { bullmqUnordered: () => unordered(bestQueue.setting) } : {}),
      bareLoop: () => bareLoop(bestLoop.setting),
    },
  });
  const { medians, ...judged } = judgeContest(rounds);
  return {
    ...medians,
    ...judged,
    pairs: context.pairs,
    events: events.length,
    tried: {
      bareLoop: bestLoop.tried,
      ...(bullmq ? { bullmqUnordered: bestQueue.tried } : {}),
    },
  };
}

/**
 * Events per second from the start of the actors to the last commit.
 * @param failing merchants whose events fail each time, which do not count
 */
export async function runOurs(
  context: BenchContext,
  events: readonly BenchEvent[],
  failing: readonly string[] = [],
): Promise<number> {
  const { servers } = context;
  const redis = connectRedis(servers.redisUrl, 'laneway-bench');
  await redis.flushall();
  const fails = new Set(failing);
  const count = events.filter(({ merchantId }) => !fails.has(merchantId)).length;
  await using database = await servers.createDatabase();
  await using ours = await createOurs({
    ...{ postgresUrl: database.url, redisUrl: servers.redisUrl, stack: 'bench', failing: fails },
  });
  const before = await warmUpEngine(context, ours, database.db);
  const acceptable = events.map((event) => toAcceptable(event, ours.config.bodyHmacKey));
  for (let at = 0; at < acceptable.length; at += acceptedAtOnce)
    await ours.accept(acceptable.slice(at, at + acceptedAtOnce));
  const startedAt = Date.now();
  ours.start();
  await awaitCursors(database.db, before + count, { except: failing });
  const seconds = ((await lastCommitMs(database.db, startedAt, failing)) - startedAt) / 1_000;
  await assertSettledInOrder(database.db, before + count, failing);
  redis.disconnect();
  return count / seconds;
}
