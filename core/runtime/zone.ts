import { DAY_MS } from './clock.ts';

/**
 * Wall-clock time of a zone. A wall time is written as the epoch milliseconds that it would be in UTC, so that calendar
 * arithmetic on it knows no daylight saving.
 */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(zone, made);
  return made;
}

export function isZone(zone: string): boolean {
  try {
    return formatOf(zone) !== undefined;
  } catch {
    return false;
  }
}

/** The wall time in `zone` at an instant. Throws a RangeError for a zone that does not exist. */
export function wallTimeAt(zone: string, epochMs: number): number {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(epochMs)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
  const seconds = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return seconds + (((epochMs % 1_000) + 1_000) % 1_000);
}

/**
 * The instant at which the clocks of `zone` show a wall time: the first one where they show it twice, and where they leap
 * over it the instant as if they had not.
 */
export function instantOf(zone: string, wallMs: number): number {
  const offsets = [wallMs - DAY_MS, wallMs + DAY_MS].map((near) => wallTimeAt(zone, near) - near);
  const candidates = offsets.map((offset) => wallMs - offset).sort((a, b) => a - b);
  const shown = candidates.find((candidate) => wallTimeAt(zone, candidate) === wallMs);
  return shown ?? wallMs - (offsets[0] ?? 0);
}
