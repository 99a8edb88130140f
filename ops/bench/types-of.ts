/** The types of `value`, as far as `shape` asks: what a test of a report compares, since its figures are never the same. */
export function typesOf(value: unknown, shape: unknown): unknown {
  if (typeof shape !== 'object' || shape === null) return typeof value;
  if (typeof value !== 'object' || value === null) return value;
  const fields = new Map(Object.entries(value));
  return Object.fromEntries(Object.entries(shape).map(([key, inner]) => [key, typesOf(fields.get(key), inner)]));
}
