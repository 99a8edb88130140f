import { type Spread, median, round, roundSpread, spreadOf } from './statistics.ts';

/** A figure of each contender in one round, in which all of them ran one after the other. */
export type Round = Readonly<Record<string, number>>;

export interface ContestOptions {
  pairs: number;
  /** By name, `ours` among them. Each runs on stores that the one before left empty, checks its own result, and returns its figure. */
  contenders: Readonly<Record<string, () => Promise<number>>>;
  say: (line: string) => void;
}

/**
 * Runs all contenders in turn, `pairs` times. The order is reversed in every other round, so that a machine that grows
 * slower or a cache that grows warmer favours nobody.
 */
export async function holdContest({ pairs, contenders, say }: ContestOptions): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const names = Object.keys(contenders);
    const figures: Record<string, number> = {};
    for (const name of pair % 2 === 0 ? names : names.toReversed()) {
      const run = contenders[name];
      if (run !== undefined) figures[name] = await run();
      say(`pair ${pair + 1} of ${pairs}: ${name} ${round(figures[name] ?? 0)}`);
    }
    rounds.push(figures);
  }
  return rounds;
}

export interface ContestResult {
  /** Median of each contender's figures, by its name. */
  medians: Record<string, number>;
  spread: Record<string, Spread>;
  /** Median over the pairs of how many times better ours was. */
  ratios: Record<string, number>;
  ratioSpread: Record<string, Spread>;
}

/**
 * Ratios are taken within a pair, where both met the same machine, and only then their median.
 *
 * @param better `higher` for a rate: ours divided by theirs. `lower` for a cost: theirs divided by ours.
 */
export function judgeContest(rounds: readonly Round[], better: 'higher' | 'lower' = 'higher'): ContestResult {
  const names = Object.keys(rounds[0] ?? {});
  const figures = (name: string) => rounds.map((each) => each[name] ?? Number.NaN);
  const ratiosTo = (name: string) =>
    rounds.map((each) => {
      const [ours, theirs] = [each['ours'] ?? Number.NaN, each[name] ?? Number.NaN];
      return better === 'higher' ? ours / theirs : theirs / ours;
    });
  const others = names.filter((name) => name !== 'ours');
  const of = <T>(list: readonly string[], value: (name: string) => T) =>
    Object.fromEntries(list.map((name) => [name, value(name)]));
  return {
    medians: of(names, (name) => round(median(figures(name)))),
    spread: of(names, (name) => roundSpread(spreadOf(figures(name)))),
    ratios: of(others, (name) => round(median(ratiosTo(name)))),
    ratioSpread: of(others, (name) => roundSpread(spreadOf(ratiosTo(name)))),
  };
}

/** The setting under which a contender does best, each tried once; one alone needs no trial. Peers are measured at their best. */
export async function bestOf<T>(
  settings: readonly [T, ...T[]],
  run: (setting: T) => Promise<number>,
): Promise<{ setting: T; tried: Record<string, number> }> {
  const tried: Record<string, number> = {};
  if (settings.length === 1) return { setting: settings[0], tried };
  let best = { setting: settings[0], figure: Number.NEGATIVE_INFINITY };
  for (const setting of settings) {
    const figure = await run(setting);
    tried[JSON.stringify(setting)] = round(figure);
    if (figure > best.figure) best = { setting, figure };
  }
  return { setting: best.setting, tried };
}
