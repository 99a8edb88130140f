/**
 * How many events lanes may contribute together to one transaction, so that it is over in its time: a handler that is quick
 * alone can be too slow for hundreds. Halved when a transaction ran out of its time, and raised step by step while there is
 * time to spare. Of this process only.
 */
export interface ConvoyPace {
  readonly events: number;
  ranOut(): void;
  committed(tookMs: number): void;
}

const STEPS = 16;

/** @param most what the settings allow; @param timeMs what one transaction may take */
export function createConvoyPace({ most, timeMs }: { most: number; timeMs: number }): ConvoyPace {
  let events = most;
  return {
    get events() {
      return events;
    },
    ranOut() {
      events = Math.max(1, Math.floor(events / 2));
    },
    committed(tookMs) {
      if (tookMs < timeMs / 4) events = Math.min(most, events + Math.ceil(most / STEPS));
    },
  };
}
