import type { ActivationQueue } from './activation-queue.ts';
import type { Clock } from '../core/runtime/clock.ts';

/**
 * Tells idle crews of a partition that there may be work. One blocked connection waits for all of them, and only while one
 * of them is idle: whoever takes the marker from the queue must have somebody to send.
 */
export interface WorkSignal {
  /** Resolves when there may be work, at `dueAt` at the latest, or at shutdown. */
  wait: (dueAt: number | undefined) => Promise<void>;
  /** Sends one idle crew to look. */
  raise: () => void;
}

/** An idle partition asks at least this often, whatever markers say. */
const LONGEST_WAIT_MS = 5_000;
const PAUSE_MS = 1_000;

export function createWorkSignal(options: {
  queue: ActivationQueue;
  clock: Clock;
  stopping: AbortSignal;
  failing: (error: unknown) => void;
}): WorkSignal {
  const { queue, clock, stopping } = options;
  const idle: (() => void)[] = [];
  let watching = false;
  let nextDue = Infinity;
  /** Raised while nobody was idle: the next one need not wait. */
  let pending = false;

  const raise = () => {
    const first = idle.shift();
    if (first === undefined) pending = true;
    else first();
  };
  stopping.addEventListener('abort', () => {
    while (idle.length > 0) raise();
  });

  const watch = async () => {
    watching = true;
    while (idle.length > 0 && !stopping.aborted) {
      try {
        const marker = await queue.waitForWork(Math.min(LONGEST_WAIT_MS, Math.max(2, nextDue - clock.now())));
        // A marker of something delayed is gone once it is taken: from here on it is this process that remembers.
        if (marker !== undefined && marker.dueAt > clock.now()) {
          nextDue = Math.min(nextDue, marker.dueAt);
          continue;
        }
      } catch (error) {
        if (!stopping.aborted) options.failing(error);
        await clock.sleep(PAUSE_MS, stopping);
      }
      if (nextDue <= clock.now()) nextDue = Infinity;
      raise();
    }
    watching = false;
  };

  return {
    raise,
    async wait(dueAt) {
      if (stopping.aborted) return;
      if (pending) {
        pending = false;
        return;
      }
      nextDue = Math.min(nextDue, dueAt ?? Infinity);
      const sent = new Promise<void>((resolve) => idle.push(resolve));
      if (!watching) void watch();
      await sent;
    },
  };
}
