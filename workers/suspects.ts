import type { Clock } from '../core/runtime/clock.ts';

/** Merchants that made a shared transaction fail, and for how long they are kept out of others. In this process only. */
export interface Suspects {
  add: (merchantId: string) => void;
  has: (merchantId: string) => boolean;
}

const MAX_SUSPECTS = 10_000;

export function createSuspects({ forMs, clock }: { forMs: number; clock: Clock }): Suspects {
  /** Oldest first. */
  const until = new Map<string, number>();
  return {
    add(merchantId) {
      until.delete(merchantId);
      until.set(merchantId, clock.now() + forMs);
      if (until.size <= MAX_SUSPECTS) return;
      const oldest = until.keys().next().value;
      if (oldest !== undefined) until.delete(oldest);
    },
    has(merchantId) {
      const end = until.get(merchantId);
      if (end === undefined) return false;
      if (end > clock.now()) return true;
      until.delete(merchantId);
      return false;
    },
  };
}
