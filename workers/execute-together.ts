import type { EventDefinition, HandlerDefinition } from '../core/events/definition.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../core/events/handler.ts';
import {
  type ExecuteDependencies,
  contextFor,
  heldKey,
  holdKeyOf,
  moduleOf,
  newDelivery,
  settlePair,
} from './execute.ts';
import type { Pair } from './in-hand.ts';
import type { LaneTransaction } from './lane-transaction.ts';
import type { Ledger } from './settle.ts';
import { type OpenedEvent, callsOf, isInAnyOrder } from './window.ts';

/**
 * A transaction of several events did not go through as a whole: it is rolled back and tried in smaller ones, until the
 * culprit is alone. `culprit` says which event it was, where that is known.
 */
export class WindowMustShrink extends Error {
  readonly culprit: OpenedEvent | undefined;
  constructor(culprit: OpenedEvent | undefined, cause: unknown) {
    super('window must shrink', { cause });
    this.culprit = culprit;
  }
}

/** A lane's part of a transaction. */
export interface LaneWindow {
  merchantId: string;
  events: readonly OpenedEvent[];
  /** Keys (handler and aggregate) behind which events must queue. */
  held: ReadonlySet<string>;
  /** Filled as handlers run. */
  ledger: Ledger;
}

export interface RunBase {
  signal: AbortSignal;
  now: number;
  /** Told which event is being handled, where events are handled one by one: a deadline then knows whose it was. */
  running?: (opened: OpenedEvent | undefined) => void;
  /** In a careful visit: called before each handler, which then gets one event at a time. */
  note?: ((pair: Pair) => Promise<void>) | undefined;
}

/**
 * Runs windows of events that are expected to go through. Throws `WindowMustShrink` at the first that does not, whatever the
 * reason: nothing is classified here, since the failure may be another event's doing.
 *
 * Each lane's window is cut into calls, which keep their order. What is called next is the event type that most events wait
 * for at the heads of their lanes, for all of those lanes together: so a handler is called once for many merchants, few
 * times in all, and no merchant's types are reordered.
 */
export async function executeTogether(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  windows: readonly LaneWindow[],
  base: RunBase,
): Promise<void> {
  const byMerchant = new Map(windows.map((window) => [window.merchantId, window]));
  for (const [definition, together] of mergeCalls(windows.map(({ events }) => callsOf(events)))) {
    for (const handler of definition.handlers)
      await callHandler(deps, trx, byMerchant, definition, handler, together, base);
  }
}

/**
 * Merges the calls of lanes, each in its order, into few that are large. Events in any order come last in every lane, and so
 * all of them together. `lanes` is used up.
 */
function* mergeCalls(lanes: OpenedEvent[][][]): Generator<[EventDefinition, OpenedEvent[]]> {
  for (let left = lanes; ; left = left.filter((calls) => calls.length > 0)) {
    const heads = Map.groupBy(left, ([head]) => head?.[0]?.definition);
    let next: { definition: EventDefinition; calls: OpenedEvent[][][]; weight: number } | undefined;
    for (const [definition, calls] of heads) {
      if (definition === undefined) continue;
      const events = calls.reduce((sum, [head]) => sum + (head?.length ?? 0), 0);
      const weight = isInAnyOrder(definition) ? 0 : events;
      if (next === undefined || weight > next.weight) next = { definition, calls, weight };
    }
    if (next === undefined) return;
    yield [next.definition, next.calls.flatMap((calls) => calls.shift() ?? [])];
  }
}

async function callHandler(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  windows: ReadonlyMap<string, LaneWindow>,
  definition: EventDefinition,
  handler: HandlerDefinition,
  events: readonly OpenedEvent[],
  base: RunBase,
): Promise<void> {
  const windowOf = (merchantId: string): LaneWindow => {
    const window = windows.get(merchantId);
    if (window === undefined) throw new Error(`${handler.name} named ${merchantId}, of whom it was given no event`);
    return window;
  };
  const free: OpenedEvent[] = [];
  for (const opened of events) {
    const { held, ledger } = windowOf(opened.event.merchantId);
    // Deriving the key parses the payload: not for lanes that hold nothing.
    const key = held.size === 0 ? null : holdKeyOf(opened, handler);
    if (key !== null && held.has(heldKey(handler.name, key)))
      ledger.deliveries.push({ ...newDelivery(opened, handler, base.now), state: 'behind' });
    else free.push(opened);
  }
  if (free.length === 0) return;
  const ledgerOf = (merchantId: string) => windowOf(merchantId).ledger;
  const { signal, now } = base;
  const context = contextFor(deps, handler.name, ledgerOf, { signal, now, trx }, definition.timeoutMs);
  const outcomes = await run(moduleOf(deps, handler.name), handler.name, free, context, base);
  for (const [i, opened] of free.entries()) {
    const outcome = outcomes[i];
    if (outcome === undefined || outcome.kind === 'snooze')
      throw new WindowMustShrink(opened, new Error(outcome?.reason ?? 'no outcome'));
    settlePair(ledgerOf(opened.event.merchantId), opened, handler.name, outcome, 1, false);
  }
}

async function run(
  module: HandlerModule,
  handler: string,
  events: readonly OpenedEvent[],
  context: HandlerContext,
  { running, note }: RunBase,
): Promise<readonly Outcome[]> {
  if ('handleMany' in module && note === undefined) {
    try {
      return await module.handleMany(
        events.map((opened) => opened.event),
        context,
      );
    } catch (error) {
      throw new WindowMustShrink(undefined, error);
    }
  }
  const outcomes: Outcome[] = [];
  for (const opened of events) {
    running?.(opened);
    await note?.({ mseq: opened.row.mseq, handler });
    try {
      const outcome =
        'handleMany' in module
          ? (await module.handleMany([opened.event], context))[0]
          : await module.handle(opened.event, context);
      if (outcome !== undefined) outcomes.push(outcome);
    } catch (error) {
      throw new WindowMustShrink(opened, error);
    }
  }
  running?.(undefined);
  return outcomes;
}
