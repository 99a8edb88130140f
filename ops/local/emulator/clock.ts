/**
 * The emulator's time: the system's, plus what a test has advanced it by. Visibility, delays, retention, the dedupe
 * window and the end of a long poll all follow it, so that no test has to wait five minutes or four days.
 */
export interface EmulatorClock {
  now(): number;
  advance(ms: number): void;
  onAdvance(listener: () => void): void;
}

export function createClock(): EmulatorClock {
  let offsetMs = 0;
  const listeners: (() => void)[] = [];
  return {
    now: () => Date.now() + offsetMs,
    advance(ms) {
      offsetMs += ms;
      for (const listener of listeners) listener();
    },
    onAdvance: (listener) => void listeners.push(listener),
  };
}
