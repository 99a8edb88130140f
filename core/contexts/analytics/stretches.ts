import { type RawBuilder, sql } from 'kysely';
import { DAY_MS, dayOf } from '../../runtime/clock.ts';

/** The days of a report, split so that what is kept for a longer time is read as one. */
export interface Stretches {
  /** A condition on `day`: all of them. */
  allDays: RawBuilder<unknown>;
  byMonth: Stretch;
  /** Thirds of months, which begin on the 1st, the 11th and the 21st. */
  byThird: Stretch;
}

export interface Stretch {
  /** A condition on `month` or `third`, which are first days: those that are in the report as a whole. */
  whole: RawBuilder<unknown>;
  /** A condition on `day`: those before and after these. */
  otherDays: RawBuilder<unknown>;
}

const dayAfter = (day: string): string => dayOf(Date.parse(day) + DAY_MS);

/** The first day of the month or third that a day is in. */
const begins = {
  month: (day: string): string => `${day.slice(0, 8)}01`,
  third: (day: string): string => `${day.slice(0, 8)}${day.slice(8) < '11' ? '01' : day.slice(8) < '21' ? '11' : '21'}`,
};

/** @param from days, both inclusive */
export function stretchesOf(from: string, to: string): Stretches {
  const allDays = sql`day between ${from}::date and ${to}::date`;
  const by = (unit: 'month' | 'third'): Stretch => {
    let first = from;
    while (begins[unit](first) !== first) first = dayAfter(first);
    const end = begins[unit](dayAfter(to));
    if (first >= end) return { whole: sql`false`, otherDays: allDays };
    const column = sql.ref(unit);
    return {
      whole: sql`${column} >= ${first}::date and ${column} < ${end}::date`,
      otherDays: sql`(day >= ${from}::date and day < ${first}::date or day >= ${end}::date and day <= ${to}::date)`,
    };
  };
  return { allDays, byMonth: by('month'), byThird: by('third') };
}
