/** Runs what is handed to it, at most `concurrency` at a time, the rest in order. What runs must not reject. */
export interface AlonePool {
  /** False where too many wait already: it is then not taken. */
  add(run: () => Promise<void>): boolean;
  /** How many do not run yet. */
  readonly waiting: number;
  /** Resolves when nothing runs or waits. */
  ended(): Promise<void>;
}

/** Of those that wait, for each that may run: a convoy hands over several at a time, and few of them take long. */
const WAITING_FOR_EACH = 4;

export function createAlonePool({ concurrency }: { concurrency: number }): AlonePool {
  const waiting: (() => Promise<void>)[] = [];
  const running = new Set<Promise<void>>();

  const start = () => {
    while (running.size < concurrency) {
      const run = waiting.shift();
      if (run === undefined) return;
      const ended = run().finally(() => {
        running.delete(ended);
        start();
      });
      running.add(ended);
    }
  };

  return {
    add(run) {
      if (waiting.length >= WAITING_FOR_EACH * concurrency) return false;
      waiting.push(run);
      start();
      return true;
    },
    get waiting() {
      return waiting.length;
    },
    async ended() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
