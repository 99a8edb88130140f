/** What several measurements of one thing say together. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Throws a RangeError for an empty list: a figure without a measurement behind it must not exist. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new RangeError('no values to take a percentile of');
  const sorted = values.toSorted((a, b) => a - b);
  const position = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export const median = (values: readonly number[]): number => percentile(values, 50);

export const spreadOf = (values: readonly number[]): Spread => ({
  median: median(values),
  min: percentile(values, 0),
  max: percentile(values, 100),
});

/** Three significant digits are more than two cores and a shared disk repeat. */
export function round(value: number): number {
  if (!Number.isFinite(value) || Number.isInteger(value)) return value;
  if (Math.abs(value) >= 1_000) return Math.round(value);
  return Number(value.toPrecision(4));
}

export const roundSpread = ({ median, min, max }: Spread): Spread => ({
  median: round(median),
  min: round(min),
  max: round(max),
});
