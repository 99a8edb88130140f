/**
 * What a call has read, until the transaction that records it: too large for a claim, and worth nothing to anybody else. A
 * process that dies between the two reads again when it is next due. The oldest is forgotten beyond a bound, so that
 * outcomes which are never recorded do not pile up.
 */
export interface Handover<T> {
  put(key: string, value: T): void;
  take(key: string): T | undefined;
}

const MAX_KEPT = 100;

export function createHandover<T>(): Handover<T> {
  const kept = new Map<string, T>();
  return {
    put(key, value) {
      kept.set(key, value);
      const oldest = kept.keys().next();
      if (kept.size > MAX_KEPT && oldest.done !== true) kept.delete(oldest.value);
    },
    take(key) {
      const value = kept.get(key);
      kept.delete(key);
      return value;
    },
  };
}
