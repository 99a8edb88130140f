import { CronExpressionParser } from 'cron-parser';
import { instantOf, wallTimeAt } from '../runtime/zone.ts';
import type { Period, Timing } from './definition.ts';

/** A cron expression that names no time any clock shows would otherwise be sought for ever. */
const MAX_STEPS = 64;

/**
 * Where cron expressions meet daylight saving, libraries answer by the direction they search in. Here the expression is read
 * on wall time as if it were UTC and only then placed in its zone: a time that clocks show twice begins one period, one that
 * they leap over begins it after the leap.
 */
function* startsBefore({ cron, zone }: { cron: string; zone: string }, atMs: number): Generator<number> {
  // Past the end of the second in question: `prev` excludes where it starts.
  const expression = CronExpressionParser.parse(cron, { currentDate: new Date(wallTimeAt(zone, atMs) + 1), tz: 'UTC' });
  for (let step = 0; step < MAX_STEPS; step++) yield instantOf(zone, expression.prev().getTime());
}

function* startsAfter({ cron, zone }: { cron: string; zone: string }, atMs: number): Generator<number> {
  const expression = CronExpressionParser.parse(cron, { currentDate: new Date(wallTimeAt(zone, atMs)), tz: 'UTC' });
  for (let step = 0; step < MAX_STEPS; step++) yield instantOf(zone, expression.next().getTime());
}

const firstThat = (starts: Generator<number>, cron: string, fits: (start: number) => boolean): number => {
  for (const start of starts) if (fits(start)) return start;
  throw new Error(`${cron} names no time within ${MAX_STEPS} steps`);
};

/** The period that an instant lies in. */
export function periodAt(timing: Timing, atMs: number): Period {
  if ('everyMs' in timing) {
    const startMs = Math.floor(atMs / timing.everyMs) * timing.everyMs;
    return { startMs, endMs: startMs + timing.everyMs };
  }
  const startMs = firstThat(startsBefore(timing, atMs), timing.cron, (start) => start <= atMs);
  const endMs = firstThat(startsAfter(timing, atMs), timing.cron, (start) => start > atMs);
  return { startMs, endMs };
}

/**
 * Periods that began after `afterMs`, up to the one that `nowMs` lies in; of more than `limit` the latest ones. Oldest
 * first. `more` when older ones were left out.
 */
export function periodsSince(
  timing: Timing,
  afterMs: number,
  nowMs: number,
  limit: number,
): { periods: Period[]; more: boolean } {
  const periods: Period[] = [];
  let period = periodAt(timing, nowMs);
  while (period.startMs > afterMs && periods.length < limit) {
    periods.unshift(period);
    period = periodAt(timing, period.startMs - 1);
  }
  return { periods, more: period.startMs > afterMs };
}
