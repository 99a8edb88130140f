import type { Clock } from '../core/runtime/clock.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/** Work of the background that comes again and again, for as long as the process runs. */
export interface Repeater {
  start(): void;
  /** Resolves when the piece of work under way has ended. */
  stop(): Promise<void>;
}

/** `work` does a bounded piece and says whether there is more of it: then it comes again at once. */
export function createRepeater(options: {
  what: string;
  everyMs: number;
  work: (signal: AbortSignal) => Promise<{ more: boolean }>;
  clock: Clock;
  log: Log;
}): Repeater {
  const { clock, everyMs, work } = options;
  const trouble = onceWhileFailing(options.log, options.what);
  const stopping = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  const run = async () => {
    while (!stopping.signal.aborted) {
      let more = false;
      try {
        ({ more } = await work(stopping.signal));
        trouble.ok();
      } catch (error) {
        trouble.failing(error);
      }
      if (!more) await clock.sleep(everyMs, stopping.signal);
    }
  };
  return {
    start() {
      loop = run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}
