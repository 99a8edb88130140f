import type { OpenedEvent } from './window.ts';
import { LanewayError } from '../core/runtime/errors.ts';

/**
 * Watches the calls of a shared transaction: one that hangs is found long before the time of the whole transaction is up,
 * and without blaming one that is slow because it has much to do or the machine has.
 */
export interface StallWatch extends Disposable {
  /** Fires with `handler.deadline` when a single call takes longer than it may. */
  readonly signal: AbortSignal;
  readonly running: (events: readonly OpenedEvent[]) => void;
  /** Whose call it was that took too long, where it was of one merchant. */
  readonly culprit: OpenedEvent | undefined;
}

/** @param callMs how long one call of a handler may take */
export function watchStalls(callMs: number): StallWatch {
  const controller = new AbortController();
  let culprit: OpenedEvent | undefined;
  let current: readonly OpenedEvent[] = [];
  const stalled = () => {
    const [first] = current;
    if (first === undefined) return;
    const { merchantId } = first.event;
    if (current.every(({ event }) => event.merchantId === merchantId)) culprit = first;
    controller.abort(
      new LanewayError('handler.deadline', `a call of a handler took longer than ${callMs} ms`, { retry: 'backoff' }),
    );
  };
  let timer = setTimeout(stalled, callMs);
  let over = false;
  return {
    signal: controller.signal,
    running(events) {
      current = events;
      // A handler that goes on although its transaction was ended is not watched any more.
      if (over) return;
      clearTimeout(timer);
      timer = setTimeout(stalled, callMs);
    },
    get culprit() {
      return culprit;
    },
    [Symbol.dispose]() {
      over = true;
      clearTimeout(timer);
    },
  };
}
