/**
 * Splits a whole number in proportion to weights so that the parts add up to it: each gets its share rounded down, and what
 * is left goes one by one to the largest remainders, the first of equals first. Without any weight the first part gets all.
 * @param total may be negative
 * @param weights not negative
 */
export function apportion(total: number, weights: readonly bigint[]): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0n);
  if (weights.length === 0) return [];
  if (sum === 0n) return weights.map((_, index) => (index === 0 ? total : 0));
  const amount = BigInt(Math.abs(total));
  const shares = weights.map((weight, index) => ({
    index,
    whole: (amount * weight) / sum,
    remainder: (amount * weight) % sum,
  }));
  let left = Number(amount - shares.reduce((all, { whole }) => all + whole, 0n));
  const parts = shares.map(({ whole }) => Number(whole));
  for (const { index } of shares.toSorted((a, b) =>
    a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
  )) {
    if (left === 0) break;
    parts[index] = (parts[index] ?? 0) + 1;
    left -= 1;
  }
  return parts.map((part) => (total < 0 && part !== 0 ? -part : part));
}

/** `amount · numerator / denominator`, rounded half away from zero. Exact: no intermediate is a float. */
export function scaled(amount: bigint, numerator: bigint, denominator: bigint): number {
  const product = amount * numerator;
  const half = denominator / 2n;
  const rounded = product < 0n ? (product - half) / denominator : (product + half) / denominator;
  return Number(rounded);
}
