/**
 * Keeps calls from a destination that does not answer. Process-local: each worker finds out by itself, and again after a
 * restart, which costs a few calls and needs no store. Pure; times are epoch milliseconds.
 *
 *   closed ──half of the last calls had no answer──► open ──its time is over──► half-open
 *      ▲                                              ▲                            │ one call, the trial
 *      └───────────────────answered───────────────────┼────────────────────────────┤
 *                                                     └──no answer: for twice as long
 *
 * "No answer" is a destination that is away or silent; a refusal is an answer. A trial that never says what came of it
 * (`ended` without an answer) leaves the breaker half-open for the next.
 */
export type BreakerState =
  | { kind: 'closed'; recent: readonly { at: number; answered: boolean }[] }
  | { kind: 'open'; until: number; openedMs: number }
  | { kind: 'half-open'; onTrial: boolean; openedMs: number };

export interface BreakerOptions {
  /** Calls that are looked at, the latest ones. */
  calls: number;
  /** Fewer say nothing. */
  leastCalls: number;
  /** Share without an answer at which it opens. */
  failing: number;
  /** Older calls say nothing about now. */
  memoryMs: number;
  openMs: number;
  openMaxMs: number;
}

export const breakerDefaults: BreakerOptions = {
  calls: 20,
  leastCalls: 5,
  failing: 0.5,
  memoryMs: 300_000,
  openMs: 5_000,
  openMaxMs: 300_000,
};

export const closedBreaker: BreakerState = { kind: 'closed', recent: [] };

export type Entry =
  | { kind: 'go'; trial: boolean }
  /** Until when there is no use asking again. */
  | { kind: 'wait'; until: number };

/** A call wants to begin. Every `go` must be ended with `endCall`. */
export function beginCall(state: BreakerState, now: number): { entry: Entry; state: BreakerState } {
  switch (state.kind) {
    case 'closed':
      return { entry: { kind: 'go', trial: false }, state };
    case 'open':
      if (now < state.until) return { entry: { kind: 'wait', until: state.until }, state };
      return { entry: { kind: 'go', trial: true }, state: { ...state, kind: 'half-open', onTrial: true } };
    case 'half-open':
      if (state.onTrial) return { entry: { kind: 'wait', until: now + state.openedMs }, state };
      return { entry: { kind: 'go', trial: true }, state: { ...state, onTrial: true } };
    default:
      return state satisfies never;
  }
}

/** What a call came to; undefined when it was not made after all, or ended for reasons of ours. */
export function endCall(
  state: BreakerState,
  { now, trial, answered }: { now: number; trial: boolean; answered: boolean | undefined },
  options: BreakerOptions = breakerDefaults,
): BreakerState {
  if (trial && state.kind === 'half-open') {
    if (answered === undefined) return { ...state, onTrial: false };
    if (answered) return closedBreaker;
    const openedMs = Math.min(options.openMaxMs, state.openedMs * 2);
    return { kind: 'open', until: now + openedMs, openedMs };
  }
  // Calls that began before it opened say nothing about whether it should close.
  if (state.kind !== 'closed' || answered === undefined) return state;
  const recent = [...state.recent, { at: now, answered }]
    .filter(({ at }) => at > now - options.memoryMs)
    .slice(-options.calls);
  const silent = recent.filter((call) => !call.answered).length;
  if (recent.length < options.leastCalls || silent < options.failing * recent.length || answered)
    return { kind: 'closed', recent };
  return { kind: 'open', until: now + options.openMs, openedMs: options.openMs };
}
