import type { EmulatorClock } from './clock.ts';

/** Who waits for a message of a queue, and when time alone may make one visible. */
export class WakeUps {
  readonly #clock: EmulatorClock;
  readonly #onTime: () => void;
  /** In the order in which they began to wait. */
  readonly #pollers = new Set<() => void>();
  /** Nothing changes its state before this time. A lower bound. */
  #nextDueAt = Infinity;
  #alarm: NodeJS.Timeout | undefined;

  /** `onTime` is called when something is due and somebody waits. Without pollers no timer runs. */
  constructor(clock: EmulatorClock, onTime: () => void) {
    this.#clock = clock;
    this.#onTime = onTime;
  }

  dueAt(time: number): void {
    if (time >= this.#nextDueAt) return;
    this.#nextDueAt = time;
    this.#setAlarm();
  }

  /** True at most once for each due time: the caller looks at everything and tells anew what is due. */
  takeDue(now: number): boolean {
    if (now < this.#nextDueAt) return false;
    this.#nextDueAt = Infinity;
    return true;
  }

  /** Calls `poller` whenever something may have become visible, until the returned function is called. */
  add(poller: () => void): () => void {
    this.#pollers.add(poller);
    this.#setAlarm();
    return () => {
      this.#pollers.delete(poller);
      this.#setAlarm();
    };
  }

  wake(): void {
    for (const poller of [...this.#pollers]) poller();
  }

  #setAlarm(): void {
    clearTimeout(this.#alarm);
    if (this.#pollers.size === 0 || this.#nextDueAt === Infinity) return;
    const leftMs = Math.min(Math.max(this.#nextDueAt - this.#clock.now(), 1), 60_000);
    this.#alarm = setTimeout(() => {
      this.#onTime();
      // It may have rung a little early.
      this.#setAlarm();
    }, leftMs);
    this.#alarm.unref();
  }
}
