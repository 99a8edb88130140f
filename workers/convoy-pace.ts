/**
 * How many events lanes may contribute together to one transaction, so that it is over well within its time: a handler that
 * is quick alone can be too slow for hundreds, and a machine that is quick at night too slow at noon. Of this process only.
 *
 * Begins small and grows while transactions that used what they were allowed are quick; after a slow one it is cut to what
 * would have been quick.
 */
export interface ConvoyPace {
  readonly events: number;
  ranOut(): void;
  committed(done: { events: number; tookMs: number }): void;
}

const FIRST = 64;
const GROWTH = 1.5;
/** The part of its time that a transaction is meant to take, and the part from which on it is cut. */
const MEANT = 1 / 4;
const SLOW = 1 / 2;

/** @param most what the settings allow; @param timeMs what one transaction may take */
export function createConvoyPace({ most, timeMs }: { most: number; timeMs: number }): ConvoyPace {
  let events = Math.min(most, FIRST);
  const cut = (by: number) => (events = Math.max(1, Math.floor(events * by)));
  return {
    get events() {
      return events;
    },
    ranOut: () => void cut(MEANT),
    committed({ events: had, tookMs }) {
      if (tookMs > timeMs * SLOW) cut((timeMs * MEANT) / tookMs);
      else if (tookMs < timeMs * MEANT && had > events / GROWTH) events = Math.min(most, Math.ceil(events * GROWTH));
    },
  };
}
