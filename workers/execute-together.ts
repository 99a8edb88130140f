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
import type { LaneTransaction } from './lane-transaction.ts';
import { type Ledger, emptyLedger } from './settle.ts';
import { type OpenedEvent, callsOf } from './window.ts';

/**
 * A window of several events did not go through as a whole: it is rolled back and tried in smaller ones, until the culprit
 * is alone. `index` says which event it was, where that is known.
 */
export class WindowMustShrink extends Error {
  readonly index: number | undefined;
  constructor(index: number | undefined, cause: unknown) {
    super('window must shrink', { cause });
    this.index = index;
  }
}

/**
 * Runs a window of events that are expected to go through. Throws `WindowMustShrink` at the first that does not, whatever
 * the reason: nothing is classified here, since the failure may be another event's doing.
 */
export async function executeTogether(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  events: readonly OpenedEvent[],
  held: ReadonlySet<string>,
  base: { signal: AbortSignal; now: number },
): Promise<Ledger> {
  const ledger = emptyLedger();
  const unreadable = events.findIndex((opened) => opened.fault !== undefined);
  if (unreadable >= 0) throw new WindowMustShrink(unreadable, events[unreadable]?.fault);
  for (const run of callsOf(events)) {
    const definition = run[0]?.definition;
    for (const handler of definition?.handlers ?? []) {
      const free: OpenedEvent[] = [];
      for (const opened of run) {
        const key = holdKeyOf(opened, handler);
        if (key !== null && held.has(heldKey(handler.name, key)))
          ledger.deliveries.push({ ...newDelivery(opened, handler, base.now), state: 'behind' });
        else free.push(opened);
      }
      if (free.length === 0) continue;
      const context = contextFor(deps, handler.name, ledger, { ...base, trx }, definition?.timeoutMs ?? 0);
      const outcomes = await runTogether(moduleOf(deps, handler.name), free, context, events);
      for (const [i, opened] of free.entries()) {
        const outcome = outcomes[i];
        if (outcome === undefined || outcome.kind === 'snooze')
          throw new WindowMustShrink(events.indexOf(opened), new Error(outcome?.reason ?? 'no outcome'));
        settlePair(ledger, opened, handler.name, outcome, 1, false);
      }
    }
  }
  return ledger;
}

async function runTogether(
  module: HandlerModule,
  free: readonly OpenedEvent[],
  context: HandlerContext,
  window: readonly OpenedEvent[],
): Promise<readonly Outcome[]> {
  if ('handleMany' in module) {
    try {
      return await module.handleMany(
        free.map((opened) => opened.event),
        context,
      );
    } catch (error) {
      throw new WindowMustShrink(undefined, error);
    }
  }
  const outcomes: Outcome[] = [];
  for (const opened of free) {
    try {
      outcomes.push(await module.handle(opened.event, context));
    } catch (error) {
      throw new WindowMustShrink(window.indexOf(opened), error);
    }
  }
  return outcomes;
}
