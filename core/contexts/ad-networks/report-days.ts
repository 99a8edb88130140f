import { DAY_MS, dayOf } from '../../runtime/clock.ts';

/** `YYYY-MM-DD`: days of reports are those of the account's zone. */
export const todayIn = (timeZone: string, nowMs: number): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(new Date(nowMs));

/** The last `days` days up to today in the zone. */
export function daysBack(timeZone: string, nowMs: number, days: number): { from: string; to: string } {
  const to = todayIn(timeZone, nowMs);
  const from = dayOf(Date.parse(to) - (days - 1) * DAY_MS);
  return { from, to };
}
