import type { WakeEntry } from './wake-entries.ts';

/**
 * Gathers wake-ups of batches that were accepted together, and what is handed in while wakes run. Every call to Redis costs
 * the same for one merchant as for a hundred, and a transaction answers many receives at once.
 *
 *   call: waiting ─► running ─► answered
 *
 * Calls may overtake each other: pointers may lie in any order, and an activation is one however often it is asked for.
 */
export function createWakeBatches({
  wake,
  maxEntries = 400,
  maxRunning = 2,
}: {
  /** Answers with the merchants that were woken. */
  wake: (entries: readonly WakeEntry[]) => Promise<readonly string[]>;
  maxEntries?: number;
  maxRunning?: number;
}): (entries: readonly WakeEntry[]) => Promise<readonly string[]> {
  interface Call {
    entries: readonly WakeEntry[];
    resolve: (woken: readonly string[]) => void;
    reject: (error: unknown) => void;
  }
  /** Bounded by the messages that intake has in flight: a call is a receive. */
  const waiting: Call[] = [];
  let running = 0;
  let planned = false;

  const take = (): Call[] => {
    let entries = 0;
    const more = waiting.findIndex((call, index) => (entries += call.entries.length) > maxEntries && index > 0);
    return waiting.splice(0, more === -1 ? waiting.length : more);
  };

  const run = async (calls: readonly Call[]): Promise<void> => {
    running += 1;
    try {
      const woken = new Set(await wake(calls.flatMap((call) => call.entries)));
      for (const call of calls)
        call.resolve(call.entries.flatMap(({ merchantId }) => (woken.has(merchantId) ? [merchantId] : [])));
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
    running -= 1;
    start();
  };

  function start(): void {
    if (running >= maxRunning || waiting.length === 0) return;
    void run(take());
    start();
  }

  return (entries) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    waiting.push({ entries, resolve, reject });
    // Not at once: the receives that one transaction answered all come in this turn of the event loop.
    if (!planned) {
      planned = true;
      setImmediate(() => {
        planned = false;
        start();
      });
    }
    return promise;
  };
}
