import { type BenchContext, scaled } from '../context.ts';
import { type Round, holdContest, judgeContest } from '../contest.ts';
import { merchantIds, productEvents } from '../load.ts';
import { runOurs } from './engine.ts';

const percents = [0, 1, 5] as const;
const nameOf = (percent: number): string => `failing${percent}`;

/**
 * What merchants pay for others that fail and share convoys with them: the engine’s load while no, every hundredth and every
 * twentieth merchant’s events fail each time, without a word about whose it was. The figure is events per second of the
 * merchants that do not fail, to the last commit of theirs.
 */
export async function runFailing(context: BenchContext) {
  const merchants = merchantIds(scaled(context, 1_000, 40));
  const events = productEvents({ merchants, each: 20 });
  const failing = (percent: number) =>
    percent === 0 ? [] : merchants.filter((_, index) => index % Math.round(100 / percent) === 0);
  await runOurs(context, events.slice(0, Math.floor(events.length / 4)));
  const rounds = await holdContest({
    pairs: context.pairs,
    say: context.say,
    contenders: Object.fromEntries(
      percents.map((percent) => [nameOf(percent), () => runOurs(context, events, failing(percent))]),
    ),
  });
  const { medians, spread } = judgeContest(rounds);
  const [, one, five] = percents.map((percent) => toNone(rounds, percent));
  return {
    unit: 'events per second of merchants that do not fail',
    ...medians,
    spread,
    ratios: { ...one?.ratios, ...five?.ratios },
    ratioSpread: { ...one?.ratioSpread, ...five?.ratioSpread },
    pairs: context.pairs,
    events: events.length,
  };
}

/** What is left of the throughput without failures, within a pair. */
function toNone(rounds: readonly Round[], percent: number) {
  const name = nameOf(percent);
  return judgeContest(
    rounds.map((figures) => ({
      ours: figures[name] ?? Number.NaN,
      [name]: figures[nameOf(0)] ?? Number.NaN,
    })),
  );
}
