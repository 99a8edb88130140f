import type { Job } from 'bullmq';
import type { Log } from '../core/runtime/log.ts';

/**
 * Holds a BullMQ job's lock for as long as its processor runs. BullMQ's own renewal goes by job id alone and loses track
 * of a job that the same process took twice; this one belongs to one run and its token.
 *
 * held ─► lost     (renewal refused, or not confirmed for a whole lease): `signal` fires, the run must stop
 * held ─► released (`release()`): the run is over
 */
export interface Lease extends Disposable {
  readonly signal: AbortSignal;
  release(): void;
}

export function holdLease(job: Job, token: string, leaseMs: number, log: Log): Lease {
  const controller = new AbortController();
  let heldUntil = performance.now() + leaseMs;
  let renewing = false;

  const lose = (reason: string) => {
    clearInterval(timer);
    if (controller.signal.aborted) return;
    log.warn('lease lost, stopping this run', { jobId: job.id, reason });
    controller.abort(new Error(`lease lost: ${reason}`));
  };
  const renew = async () => {
    if (performance.now() > heldUntil) return lose('not renewed in time');
    if (renewing) return;
    renewing = true;
    const asked = performance.now();
    try {
      const extended = await job.extendLock(token, leaseMs);
      if (extended === 0) lose('another owner holds it');
      else heldUntil = asked + leaseMs;
    } catch (error) {
      // BullMQ throws when the lock is not ours; a connection error is tried again until the lease has run out.
      if (error instanceof Error && /lock|Missing key/i.test(error.message)) lose(error.message);
    } finally {
      renewing = false;
    }
  };
  const timer = setInterval(() => void renew(), leaseMs / 4);

  const release = () => clearInterval(timer);
  return { signal: controller.signal, release, [Symbol.dispose]: release };
}
