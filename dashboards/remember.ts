import type { Clock } from '../core/runtime/clock.ts';

/**
 * Loads at most once per `maxAgeMs`, however many ask, and only when somebody asks: a console that nobody looks at costs
 * the stores nothing. Callers during a load share it; a load that fails is forgotten, so that the next caller tries again.
 */
export function remember<T>(clock: Clock, maxAgeMs: number, load: () => Promise<T>): () => Promise<T> {
  let current: { at: number; value: Promise<T> } | undefined;
  return () => {
    if (current !== undefined && clock.now() - current.at < maxAgeMs) return current.value;
    const mine = { at: clock.now(), value: load() };
    current = mine;
    mine.value.catch(() => {
      if (current === mine) current = undefined;
    });
    return mine.value;
  };
}
