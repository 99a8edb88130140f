import type { Clock } from '../../core/runtime/clock.ts';

/**
 * Time that passes only when everybody waits, so that hours of a fleet take seconds and a run is the same each time.
 * The clock's zero is the run's beginning.
 */
export interface VirtualTime {
  clock: Clock;
  /** Goes from one due time to the next until nobody sleeps, or `until` (milliseconds) is reached. */
  run(until: number): Promise<void>;
}

interface Sleeper {
  at: number;
  /** Of two that are due at once, the one that fell asleep first wakes first. */
  order: number;
  wake: () => void;
}

export function createVirtualTime(): VirtualTime {
  const sleepers = createHeap();
  let now = 0;
  let order = 0;
  return {
    clock: {
      now: () => now,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted === true) return resolve();
          signal?.addEventListener('abort', () => resolve(), { once: true });
          sleepers.push({ at: now + Math.max(0, ms), order: order++, wake: resolve });
        }),
    },
    async run(until) {
      for (;;) {
        // What follows from the last wake-up happens before time goes on.
        await new Promise((resolve) => setImmediate(resolve));
        const next = sleepers.pop();
        if (next === undefined) return;
        if (next.at > until) {
          sleepers.push(next);
          return;
        }
        now = next.at;
        next.wake();
      }
    },
  };
}

const before = (a: Sleeper, b: Sleeper): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** A binary heap: the first one is the next one due. */
function createHeap() {
  const all: Sleeper[] = [];
  const swapUp = (index: number): void => {
    for (let at = index; at > 0;) {
      const parent = (at - 1) >> 1;
      const [child, above] = [all[at], all[parent]];
      if (child === undefined || above === undefined || !before(child, above)) return;
      [all[at], all[parent]] = [above, child];
      at = parent;
    }
  };
  const sink = (): void => {
    for (let at = 0; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const [candidate, best] = [all[child], all[least]];
        if (candidate !== undefined && best !== undefined && before(candidate, best)) least = child;
      }
      const [top, lower] = [all[at], all[least]];
      if (least === at || top === undefined || lower === undefined) return;
      [all[at], all[least]] = [lower, top];
      at = least;
    }
  };
  return {
    push(sleeper: Sleeper): void {
      all.push(sleeper);
      swapUp(all.length - 1);
    },
    pop(): Sleeper | undefined {
      const [first] = all;
      const last = all.pop();
      if (last === undefined || first === undefined || first === last) return first;
      all[0] = last;
      sink();
      return first;
    },
  };
}
