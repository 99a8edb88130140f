/**
 * How many events lanes may contribute together to one transaction: a handler that is quick alone can be too slow for
 * hundreds, and a machine that is quick at night too slow at noon. Of this process only.
 *
 * Begins with an event for each of many lanes, and grows while transactions that used what they were allowed are quick. A
 * slow one halves it, but not below where it began: on a busy machine a small transaction takes as long as a large one, and
 * smaller ones would make it busier still. Below that goes only what could not be done in time at all.
 */
export interface ConvoyPace {
  readonly events: number;
  ranOut(): void;
  committed(done: { events: number; tookMs: number }): void;
}

const FIRST = 64;
/** Lanes get whole events each, so that more than half of what is allowed is as good as all of it. */
const GROWTH = 2;

/** @param most what the settings allow; @param meantMs what one transaction is meant to take at most */
export function createConvoyPace({ most, meantMs }: { most: number; meantMs: number }): ConvoyPace {
  const first = Math.min(most, FIRST);
  let events = first;
  return {
    get events() {
      return events;
    },
    ranOut() {
      events = Math.max(1, Math.floor(events / 4));
    },
    committed({ events: had, tookMs }) {
      const quick = tookMs < (events < first ? meantMs : meantMs / 2);
      if (quick && had > events / GROWTH) events = Math.min(most, Math.ceil(events * GROWTH));
      else if (tookMs > meantMs && events > first) events = Math.max(first, Math.floor(events / 2));
    },
  };
}
