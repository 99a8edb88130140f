import type { Clock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import type { AcceptableEvent } from './accept-rows.ts';

/**
 * Gathers what several receive loops hand in while transactions run, and hands it on together: the busier it is, the larger
 * the batches. With no transaction under way nothing waits. Beside one that is, few events are not worth another: they wait
 * until they are more, until it ends, or for `patienceMs`, so that one that hangs does not hold up the rest.
 *
 *   call: waiting ─► running ─► answered
 *
 * A merchant is in at most one running batch, and calls that name it run in the order in which they came: two transactions
 * that both want its mailbox would get it in any order.
 */
export interface AcceptBatches<Verdict> {
  /**
   * Answers for each event. Rejects with what its batch failed with, or with `service.unavailable` when too much waits.
   */
  accept: (events: readonly AcceptableEvent[]) => Promise<readonly Verdict[]>;
  readonly waitingEvents: number;
}

export interface AcceptBatchesOptions<Verdict> {
  run: (events: readonly AcceptableEvent[]) => Promise<readonly Verdict[]>;
  clock: Pick<Clock, 'sleep'>;
  /** So many events make a transaction worth while beside those under way. */
  worthEvents?: number;
  patienceMs?: number;
  maxEvents?: number;
  maxBytes?: number;
  maxRunning?: number;
  maxWaitingEvents?: number;
}

interface Call<Verdict> {
  events: readonly AcceptableEvent[];
  merchants: ReadonlySet<string>;
  bytes: number;
  resolve: (verdicts: readonly Verdict[]) => void;
  reject: (error: unknown) => void;
}

export function createAcceptBatches<Verdict>(options: AcceptBatchesOptions<Verdict>): AcceptBatches<Verdict> {
  const { run, clock, maxEvents = 200, maxBytes = 4_194_304, maxRunning = 3, maxWaitingEvents = 5_000 } = options;
  const { worthEvents = maxEvents / 2, patienceMs = 10 } = options;
  let waiting: Call<Verdict>[] = [];
  let waitingEvents = 0;
  let running = 0;
  let patient = false;
  const busy = new Set<string>();

  /** Calls are taken in order; one that must wait makes every later call of its merchants wait too. */
  const takeBatch = (): Call<Verdict>[] => {
    const taken: Call<Verdict>[] = [];
    const left: Call<Verdict>[] = [];
    const blocked = new Set(busy);
    let events = 0;
    let bytes = 0;
    for (const call of waiting) {
      const fits = taken.length === 0 || (events + call.events.length <= maxEvents && bytes + call.bytes <= maxBytes);
      if (fits && call.merchants.isDisjointFrom(blocked)) {
        taken.push(call);
        events += call.events.length;
        bytes += call.bytes;
      } else {
        left.push(call);
        for (const merchant of call.merchants) blocked.add(merchant);
      }
    }
    waiting = left;
    waitingEvents -= events;
    return taken;
  };

  const runBatch = async (calls: readonly Call<Verdict>[]): Promise<void> => {
    running += 1;
    const merchants = new Set(calls.flatMap((call) => [...call.merchants]));
    for (const merchant of merchants) busy.add(merchant);
    try {
      const verdicts = await run(calls.flatMap((call) => call.events));
      let start = 0;
      for (const call of calls) {
        call.resolve(verdicts.slice(start, start + call.events.length));
        start += call.events.length;
      }
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
    running -= 1;
    for (const merchant of merchants) busy.delete(merchant);
    startBatches();
  };

  const startBatches = (): void => {
    if (running >= maxRunning || waitingEvents === 0) return;
    if (running > 0 && waitingEvents < worthEvents) {
      if (!patient) void startLater();
    } else if (startBatch()) startBatches();
  };

  const startBatch = (): boolean => {
    const calls = takeBatch();
    if (calls.length > 0) void runBatch(calls);
    return calls.length > 0;
  };

  const startLater = async (): Promise<void> => {
    patient = true;
    await clock.sleep(patienceMs);
    patient = false;
    // What cannot start waits for a transaction under way, whose end looks again.
    if (running < maxRunning && startBatch()) startBatches();
  };

  return {
    get waitingEvents() {
      return waitingEvents;
    },
    accept(events) {
      if (events.length === 0) return Promise.resolve([]);
      if (waitingEvents + events.length > maxWaitingEvents)
        return Promise.reject(
          new LanewayError('service.unavailable', `${waitingEvents} events already wait to be accepted`, {
            retry: 'backoff',
          }),
        );
      return new Promise((resolve, reject) => {
        waiting.push({
          events,
          merchants: new Set(events.map((event) => event.merchantId)),
          bytes: events.reduce((sum, event) => sum + event.body.length, 0),
          resolve,
          reject,
        });
        waitingEvents += events.length;
        startBatches();
      });
    },
  };
}
