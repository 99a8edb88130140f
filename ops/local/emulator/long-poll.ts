import type { EmulatorClock } from './clock.ts';
import type { Message } from './message.ts';
import type { EmulatedQueue } from './queue.ts';
import type { QueueStore } from './queue-store.ts';

/**
 * waiting ─► answered (with messages, or empty when time is up) | abandoned (the client went away, or the queue did)
 *
 * A message that another poller takes, or that lands in a locked group, leaves the others waiting: answering empty at
 * once makes pollers spin. An abandoned poll takes nothing: what it took would stay invisible for a whole visibility
 * timeout although nobody has it.
 */
export function receiveWithin(
  { store, queue }: { store: QueueStore; queue: EmulatedQueue },
  wants: { max: number; visibilitySeconds: number | undefined; waitSeconds: number },
  abandoned: AbortSignal,
): Promise<Message[]> {
  const clock: EmulatorClock = store.clock;
  const endsAt = clock.now() + wants.waitSeconds * 1_000;
  return new Promise((resolve) => {
    let stopListening: (() => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    let woken: NodeJS.Immediate | undefined;

    const finish = (messages: Message[]) => {
      stopListening?.();
      clearTimeout(timer);
      clearImmediate(woken);
      abandoned.removeEventListener('abort', attempt);
      resolve(messages);
    };
    // Not at once: that a client hung up may be known to the system, and to us only after this turn of the event loop.
    const wake = () => {
      clearImmediate(woken);
      woken = setImmediate(attempt);
    };
    const attempt = () => {
      if (abandoned.aborted || store.byArn(queue.arn) !== queue) return finish([]);
      const messages = queue.receive(wants.max, wants.visibilitySeconds);
      const leftMs = endsAt - clock.now();
      if (messages.length > 0 || leftMs <= 0) return finish(messages);
      if (stopListening === undefined) {
        stopListening = queue.onVisible(wake);
        abandoned.addEventListener('abort', attempt);
      }
      // Armed anew each time: a timer may fire a little before its time by this clock.
      clearTimeout(timer);
      timer = setTimeout(attempt, leftMs);
    };
    attempt();
  });
}
