import type { AloneInput } from './execute-alone.ts';
import type { Pair } from './in-hand.ts';
import type { OpenedEvent } from './window.ts';

/** What a transaction was doing when it ended, for whoever has to say what that means. */
export interface Trace {
  size: number;
  /** The window's events, in order. */
  events: readonly OpenedEvent[];
  alone: AloneInput | undefined;
  running: Pair | undefined;
  /** All handlers ran, and what they decided is being written. */
  settling: boolean;
  /** Where the lane stood; undefined until the fence was taken. */
  cursor: number | undefined;
}

export const newTrace = (): Trace => ({
  ...{ size: 0, events: [], settling: false },
  ...{ alone: undefined, running: undefined, cursor: undefined },
});
