/** The only place that reads time or sets timers, so that tests can own both. */
export interface Clock {
  /** Wall time as epoch milliseconds. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` fires: waiting code always looks at its signal afterwards. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

export const DAY_MS = 86_400_000;

/** `YYYY-MM-DD` in UTC: the day by which growing tables are partitioned. */
export const dayOf = (epochMs: number): string => new Date(epochMs).toISOString().slice(0, 10);
