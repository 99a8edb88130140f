/** Runs what is handed to it, at most `concurrency` at a time, the rest in order. `run` must not reject. */
export interface AlonePool<T> {
  add(item: T): void;
  /**
   * How many more items make no queue longer than `concurrency`. Without a limit while none waits: of what may be handed
   * over hardly any is, and a limit would make convoys small instead.
   */
  readonly room: number;
  /** Items that do not run yet. */
  readonly waiting: number;
  /** Resolves when nothing runs or waits. */
  ended(): Promise<void>;
}

export function createAlonePool<T>(options: { concurrency: number; run: (item: T) => Promise<void> }): AlonePool<T> {
  const { concurrency, run } = options;
  const waiting: T[] = [];
  const running = new Set<Promise<void>>();

  const start = () => {
    while (running.size < concurrency) {
      const item = waiting.shift();
      if (item === undefined) return;
      const ended = run(item).finally(() => {
        running.delete(ended);
        start();
      });
      running.add(ended);
    }
  };

  return {
    add(item) {
      waiting.push(item);
      start();
    },
    get room() {
      if (waiting.length === 0) return Number.POSITIVE_INFINITY;
      return Math.max(0, 2 * concurrency - running.size - waiting.length);
    },
    get waiting() {
      return waiting.length;
    },
    async ended() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
