import type { InHand, Pair } from '../in-hand.ts';

/** Notes that outlive the visits of a test, as those in Redis outlive a process. */
export function createTestInHand(): InHand {
  const notes = new Map<string, Pair>();
  return {
    note: (merchantId, pair) => Promise.resolve(void notes.set(merchantId, pair)),
    take(merchantId) {
      const pair = notes.get(merchantId);
      notes.delete(merchantId);
      return Promise.resolve(pair);
    },
    clear: (merchantId) => Promise.resolve(void notes.delete(merchantId)),
  };
}
