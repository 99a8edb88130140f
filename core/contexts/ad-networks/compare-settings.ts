import { isDeepStrictEqual } from 'node:util';

/** By setting: what a network showed when it was told of ours again. */
export type ShownSettings = Readonly<Record<string, { wanted: unknown; there: unknown }>>;

/**
 * Settings that a network shows otherwise than they were made true there. It may say more than it was told: defaults, places
 * with their names. What it does not show says nothing.
 *
 * A network may write what it is told in a way of its own. So what it was told of again and shows just as before is not drift,
 * or it would be told for ever.
 * @param wanted those that can be compared, as the network would show them
 */
export function compareSettings(
  wanted: Readonly<Record<string, unknown>>,
  there: Readonly<Record<string, unknown>>,
  before: ShownSettings,
): { drifted: ShownSettings; shown: ShownSettings } {
  const different = Object.entries(wanted).flatMap(([name, value]) =>
    Object.hasOwn(there, name) && !holds(value, there[name])
      ? [[name, { wanted: value, there: there[name] }] as const]
      : [],
  );
  const isNew = ([name, each]: (typeof different)[number]) => !isDeepStrictEqual(before[name], each);
  return { drifted: Object.fromEntries(different.filter(isNew)), shown: Object.fromEntries(different) };
}

/** Whether what is there says at least what is wanted. Numbers may be text, and lists in another order. */
export function holds(wanted: unknown, there: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(there) || there.length !== wanted.length) return false;
    const left = Array.from<unknown>(there);
    return wanted.every((each) => {
      const at = left.findIndex((other) => holds(each, other));
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    });
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof there !== 'object' || there === null) return Object.keys(wanted).length === 0;
    const known = new Map<string, unknown>(Object.entries(there));
    return Object.entries(wanted).every(([name, value]) => holds(value, known.get(name)));
  }
  if (wanted === there) return true;
  // What was emptied is often left out.
  if (wanted === null || wanted === '') return there === undefined || there === null || there === '';
  return isNumeric(wanted) && isNumeric(there) && Number(wanted) === Number(there);
}

const isNumeric = (value: unknown): value is number | string =>
  typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value));
