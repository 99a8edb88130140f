/** JSON deeper than this is nobody's event; unbounded nesting overflows the stack of whatever serialises it later. */
export const MAX_DEPTH = 64;

export type JsonPath = readonly (string | number)[];

export interface Unstorable {
  path: JsonPath;
  message: string;
}

const textFault = (text: string): string | undefined => {
  if (text.includes('\u0000')) return 'must not contain U+0000';
  return text.isWellFormed() ? undefined : 'must not contain half a surrogate pair';
};

/**
 * Finds what `JSON.parse` lets through and a store, a key or a later parser does not: U+0000 and half surrogate pairs (in
 * keys too), numbers that became infinite, nesting beyond `MAX_DEPTH`. Walks with a list of its own, not by recursion, so
 * that no input can exhaust the stack.
 */
export function findUnstorable(root: unknown, limit: number): readonly Unstorable[] {
  const found: Unstorable[] = [];
  const pending: { value: unknown; path: JsonPath }[] = [{ value: root, path: [] }];
  for (let next = pending.pop(); next !== undefined && found.length < limit; next = pending.pop()) {
    const { value, path } = next;
    if (typeof value === 'string') {
      const message = textFault(value);
      if (message !== undefined) found.push({ path, message });
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value)) found.push({ path, message: 'must be a finite number' });
    } else if (typeof value === 'object' && value !== null) {
      if (path.length >= MAX_DEPTH) {
        found.push({ path: path.slice(0, 8), message: `must not be nested deeper than ${MAX_DEPTH} levels` });
        continue;
      }
      const members: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
      for (const [key, member] of members.toReversed()) {
        const message = typeof key === 'string' ? textFault(key) : undefined;
        if (message !== undefined) found.push({ path, message: `has a key that ${message}` });
        pending.push({ value: member, path: [...path, key] });
      }
    }
  }
  return found.slice(0, limit);
}

/**
 * Whether JSON text may hold anything that `findUnstorable` finds, without parsing it: half a surrogate pair comes by an
 * escape or is there to be seen, U+0000 by an escape only, an infinite number takes hundreds of digits or three of an
 * exponent. Says yes too often, and no for nearly every event.
 */
export function mayBeUnstorable(json: string): boolean {
  return (
    json.includes(String.raw`\u`) ||
    !json.isWellFormed() ||
    LARGE_EXPONENT.test(json) ||
    mayHaveLongNumber(json) ||
    opensMoreThan(json, MAX_DEPTH)
  );
}

/** Behind what a number may stand behind, so that identifiers with an e in them are no reason to look closer. */
const LARGE_EXPONENT = /(?:^|[[:,\s])-?\d[\d.]*[eE]\+?\d{3}/;
const LONG_NUMBER = 200;

/** Whoever looks at every 200th character misses no 200 digits in a row. */
function mayHaveLongNumber(json: string): boolean {
  for (let at = LONG_NUMBER - 1; at < json.length; at += LONG_NUMBER)
    if (isDigit(json.charCodeAt(at))) return /\d{200}/.test(json);
  return false;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

function opensMoreThan(json: string, limit: number): boolean {
  let opened = 0;
  for (const bracket of '{[')
    for (let at = json.indexOf(bracket); at !== -1; at = json.indexOf(bracket, at + 1)) {
      opened += 1;
      if (opened > limit) return true;
    }
  return false;
}

const MAX_SEGMENT = 64;

/** `payload.items[2].price`; keys that are no plain words are quoted and cut. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (/^[\w-]{1,64}$/.test(String(segment))) text += `${text === '' ? '' : '.'}${String(segment)}`;
    else text += `[${JSON.stringify(String(segment).slice(0, MAX_SEGMENT).toWellFormed())}]`;
  }
  return text === '' ? 'body' : text;
}
