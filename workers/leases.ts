import type { Activation } from './activation-queue.ts';
import type { Log } from '../core/runtime/log.ts';

/**
 * The locks of all activations that this process works, renewed together: one timer and one round trip however many there
 * are. BullMQ's own renewal goes by job id alone and loses track of a job that one process took twice; a lease belongs to
 * one claim and its token.
 *
 * held ─► lost     (renewal refused, or not confirmed for a whole lease): `signal` fires, the run must stop
 * held ─► released (`release()`): the run is over
 */
export interface Leases {
  hold(activation: Activation): Lease;
  close(): void;
}

export interface Lease {
  readonly signal: AbortSignal;
  release(): void;
}

interface Held {
  activation: Activation;
  controller: AbortController;
  /** By the monotonic clock, milliseconds. */
  until: number;
}

export function createLeases(options: {
  leaseMs: number;
  /** Resolves with those whose lock is not the caller's any more. */
  renew: (activations: readonly Activation[]) => Promise<readonly Activation[]>;
  log: Log;
}): Leases {
  const { leaseMs, log } = options;
  const all = new Set<Held>();
  let renewing = false;

  const lose = (held: Held, reason: string) => {
    if (!all.delete(held)) return;
    const { merchantId, id } = held.activation;
    log.warn('lease lost, stopping this run', { merchantId, jobId: id, reason });
    held.controller.abort(new Error(`lease lost: ${reason}`));
  };

  const renew = async () => {
    for (const held of all) if (performance.now() > held.until) lose(held, 'not renewed in time');
    if (renewing || all.size === 0) return;
    renewing = true;
    const asked = [...all];
    const askedAt = performance.now();
    try {
      const lost = new Set(await options.renew(asked.map(({ activation }) => activation)));
      for (const held of asked) {
        if (lost.has(held.activation)) lose(held, 'another owner holds it, or Redis forgot it');
        else held.until = askedAt + leaseMs;
      }
    } catch (error) {
      // Tried again until the leases have run out.
      log.debug('leases not renewed', { error: error instanceof Error ? error.message : String(error) });
    } finally {
      renewing = false;
    }
  };
  const timer = setInterval(() => void renew(), leaseMs / 4);

  return {
    hold(activation) {
      const held: Held = { activation, controller: new AbortController(), until: performance.now() + leaseMs };
      all.add(held);
      return { signal: held.controller.signal, release: () => void all.delete(held) };
    },
    close: () => clearInterval(timer),
  };
}
