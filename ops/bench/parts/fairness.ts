import { connectRedis } from '../../../core/clients/redis.ts';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import { type BenchContext, scaled } from '../context.ts';
import { type Round, judgeContest } from '../contest.ts';
import { merchantIds, productEvent, productEvents } from '../load.ts';
import { type Ours, createOurs, toAcceptable } from '../ours.ts';
import { assertSettledInOrder, awaitCursors } from '../settled.ts';
import { percentile, round } from '../statistics.ts';
import { latencies } from './latency.ts';

const noisyMerchant = 'noisy-shop';
const acceptedAtOnce = 500;
const quietPerSecond = 200;

/**
 * 200 quiet merchants with an event a second each, alone and while one merchant has a backlog of 100,000. The figure is the
 * 99th percentile of their dwell time, from the start of accepting to the commit. Only events that came while the noisy
 * merchant was still behind count.
 */
export async function runFairness(context: BenchContext) {
  const rounds: Round[] = [];
  let measured = 0;
  // A process that has just begun compiles its code, and whoever ran first would pay for it.
  await dwellOfQuiet({ ...context, scale: context.scale / 5 }, true);
  for (let pair = 0; pair < context.pairs; pair++) {
    const runs = [
      { name: 'quietAlone', noisy: false },
      { name: 'quietBesideNoisy', noisy: true },
    ];
    const figures: Record<string, number> = {};
    for (const { name, noisy } of pair % 2 === 0 ? runs : runs.toReversed()) {
      const dwell = await dwellOfQuiet(context, noisy);
      measured += dwell.length;
      figures[name] = percentile(dwell, 99);
      figures[`${name}P50`] = percentile(dwell, 50);
      context.say(`pair ${pair + 1}: ${name} p99 ${round(figures[name] ?? 0)} ms over ${dwell.length} events`);
    }
    rounds.push(figures);
  }
  const ratio = judgeContest(
    rounds.map((each) => ({ ours: each['quietBesideNoisy'] ?? 0, quietP99: each['quietAlone'] ?? 0 })),
  );
  const { medians, spread } = judgeContest(rounds);
  return {
    unit: 'milliseconds from accepting to commit',
    ...medians,
    ratios: ratio.ratios,
    ratioSpread: ratio.ratioSpread,
    spread,
    pairs: context.pairs,
    backlog: scaled(context, 100_000, 500),
    events: measured,
  };
}

async function dwellOfQuiet(context: BenchContext, noisy: boolean): Promise<number[]> {
  const { servers } = context;
  const redis = connectRedis(servers.redisUrl, 'laneway-bench');
  await redis.flushall();
  redis.disconnect();
  await using database = await servers.createDatabase();
  await using ours = await createOurs({ postgresUrl: database.url, redisUrl: servers.redisUrl, stack: 'bench' });
  const backlog = noisy ? scaled(context, 100_000, 500) : 0;
  if (noisy) await acceptBacklog(ours, backlog);
  const merchants = merchantIds(200);
  const seconds = Math.max(1, scaled(context, 10));
  ours.start();

  const acceptedAt = new Map<string, number>();
  const accepting: Promise<void>[] = [];
  const startedAt = performance.now();
  const behind = async () => !noisy || (await noisyCursor(ours)) < backlog;
  let stillBehind = true;
  for (let n = 0; n < seconds * quietPerSecond && stillBehind; n++) {
    const due = startedAt + (n * 1_000) / quietPerSecond;
    const early = due - performance.now();
    if (early > 0) await clock.sleep(early);
    const event = productEvent(merchants[n % merchants.length] ?? '', Math.floor(n / merchants.length) + 1, 'quiet');
    acceptedAt.set(event.eventId, performance.timeOrigin + performance.now());
    accepting.push(ours.acceptOne(toAcceptable(event, ours.config.bodyHmacKey)));
    if (n % quietPerSecond === quietPerSecond - 1) stillBehind = await behind();
  }
  await Promise.all(accepting);
  await awaitCursors(database.db, backlog + acceptedAt.size);
  await assertSettledInOrder(database.db, backlog + acceptedAt.size);
  return await latencies(database.db, acceptedAt);
}

async function acceptBacklog(ours: Ours, count: number): Promise<void> {
  const events = productEvents({ merchants: [noisyMerchant], each: count });
  for (let at = 0; at < events.length; at += acceptedAtOnce)
    await ours.accept(
      events.slice(at, at + acceptedAtOnce).map((event) => toAcceptable(event, ours.config.bodyHmacKey)),
    );
}

async function noisyCursor(ours: Ours): Promise<number> {
  const lane = await ours.db
    .selectFrom('lanes')
    .select('cursor')
    .where('merchant_id', '=', noisyMerchant)
    .executeTakeFirst();
  return lane?.cursor ?? 0;
}
