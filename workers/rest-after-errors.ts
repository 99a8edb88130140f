import type { Worker } from 'bullmq';
import type { Clock } from '../core/runtime/clock.ts';
import { backoffMs } from '../core/runtime/retry.ts';

const REST = { retries: Infinity, baseMs: 250, capMs: 5_000 };

/**
 * BullMQ asks for the next job again at once when Redis refuses to give one, which a full Redis does thousands of times a
 * second, on the thread that has to make room. Lost connections are not refusals; BullMQ waits for those by itself.
 *
 * taking ──a refusal──► resting, longer each time ──► taking ──a job comes──► taking, as if nothing had been
 */
export function restAfterErrors(worker: Pick<Worker, 'on' | 'once' | 'pause' | 'resume'>, clock: Clock): void {
  const closing = new AbortController();
  let refusals = 0;
  let resting = false;

  const rest = async () => {
    resting = true;
    refusals += 1;
    await worker.pause(true);
    // No jitter: half a second more or less of a fleet's refused commands is nothing to a Redis.
    await clock.sleep(backoffMs(refusals, REST, 0), closing.signal);
    resting = false;
    if (!closing.signal.aborted) await worker.resume();
  };

  worker.on('error', (refusal) => {
    if (refusal.name !== 'ReplyError' || resting || closing.signal.aborted) return;
    // Neither call asks Redis for anything; what they reject with has nobody to go to.
    rest().catch(() => (resting = false));
  });
  worker.on('active', () => (refusals = 0));
  worker.once('closing', () => closing.abort());
}

/** Longer than it takes until a connection without an answer is given up, after which the next error would come. */
const QUIET_MS = 25_000;

/**
 * BullMQ tells of each error and never that all is well again, and an idle queue has nothing else to show it: what was quiet
 * for long enough is over.
 */
export function tellErrors(
  worker: Pick<Worker, 'on' | 'once'>,
  trouble: { failing(error: unknown): void; ok(): void },
  quietMs: number = QUIET_MS,
): void {
  let quiet: NodeJS.Timeout | undefined;
  worker.on('error', (error) => {
    trouble.failing(error);
    clearTimeout(quiet);
    quiet = setTimeout(() => trouble.ok(), quietMs).unref();
  });
  worker.once('closing', () => clearTimeout(quiet));
}
