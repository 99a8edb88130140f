import { sql } from 'kysely';
import type { EventDefinition, HandlerDefinition } from '../core/events/definition.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../core/events/handler.ts';
import { isConflict, isServerAway } from '../core/runtime/errors.ts';
import {
  type ExecuteDependencies,
  contextFor,
  handleOne,
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
  /** Told before each call of a handler which events it gets, and after it: a deadline then knows whose it was. */
  running?: (events: readonly OpenedEvent[]) => void;
  /** Whether a call that fails may be undone by itself. */
  savepoints?: boolean;
  /** In a careful visit: called before each handler, which then gets one event at a time. */
  note?: ((pair: Pair) => Promise<void>) | undefined;
}

/** Where a lane's window ends early. */
export interface Stop {
  /** The number of the first event that is left out. */
  before: number;
  /** All lanes of the call had to be called one by one to find it. */
  costly: boolean;
}

/**
 * Runs windows of events that are expected to go through.
 *
 * Each lane's window is cut into calls, which keep their order. What is called next is the event type that most events wait
 * for at the heads of their lanes, for all of those lanes together: so a handler is called once for many merchants, few
 * times in all, and no merchant's types are reordered.
 *
 * With `savepoints`, a call that fails is undone and made again without the lane it failed for, whose window ends before it;
 * a second time, or where nobody knows whose event it was, lane by lane. Without, and where that cannot be, throws
 * `WindowMustShrink`. Nothing is classified here, since the failure may be another event's doing.
 */
export async function executeTogether(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  windows: readonly LaneWindow[],
  base: RunBase,
): Promise<ReadonlyMap<string, Stop>> {
  const byMerchant = new Map(windows.map((window) => [window.merchantId, window]));
  const stops = new Map<string, Stop>();
  const doneUpTo = new Map<string, number>();
  const undo = base.savepoints === true ? createUndo(trx, windows) : undefined;

  const call = async (definition: EventDefinition, events: readonly OpenedEvent[]): Promise<void> => {
    await undo?.mark();
    for (const handler of definition.handlers)
      await callHandler(deps, trx, byMerchant, definition, handler, events, base);
    for (const { event } of events)
      doneUpTo.set(event.merchantId, Math.max(event.mseq, doneUpTo.get(event.merchantId) ?? 0));
  };
  /** @param failures of calls that these events were part of: the first may leave one lane out, the second separates all */
  const callOrLeaveOut = async (
    definition: EventDefinition,
    events: readonly OpenedEvent[],
    failures = 0,
  ): Promise<void> => {
    if (events.length === 0) return;
    try {
      await call(definition, events);
    } catch (error) {
      if (undo === undefined || base.signal.aborted || !isFailedCall(error)) throw error;
      await undo.undo();
      const lanes = Map.groupBy(events, ({ event }) => event.merchantId);
      const [only] = lanes.keys();
      const culprit = lanes.size === 1 ? only : error.culprit?.event.merchantId;
      if (culprit !== undefined && (lanes.size === 1 || failures === 0)) {
        const before = Math.min(...(lanes.get(culprit) ?? []).map(({ event }) => event.mseq));
        // Those in any order let later ones go first: what a lane has run beyond cannot be left out any more.
        if (before <= (doneUpTo.get(culprit) ?? 0)) throw error;
        stops.set(culprit, { before, costly: failures > 1 });
        const others = events.filter(({ event }) => event.merchantId !== culprit);
        return await callOrLeaveOut(definition, others, failures + 1);
      }
      for (const own of lanes.values()) await callOrLeaveOut(definition, own, 2);
    }
  };

  for (const [definition, events] of mergeCalls(windows.map(({ events: own }) => callsOf(own)))) {
    const left = events.filter(({ event }) => event.mseq < (stops.get(event.merchantId)?.before ?? Infinity));
    await callOrLeaveOut(definition, left);
  }
  return stops;
}

/**
 * Whether a call failed of what it was given: not of a server that is gone, nor of a deadlock, which is over only when all
 * locks of the transaction are given up.
 */
const isFailedCall = (error: unknown): error is WindowMustShrink =>
  error instanceof WindowMustShrink && !isServerAway(error.cause) && !isConflict(error.cause);

/** Takes back what calls have written since the last mark, in Postgres and in the ledgers. */
function createUndo(trx: LaneTransaction, windows: readonly LaneWindow[]) {
  let marked: (readonly [unknown[], number])[] | undefined;
  return {
    async mark() {
      // In one statement: released, it is gone, and so savepoints do not pile up.
      await (marked === undefined ? sql`savepoint call` : sql`release savepoint call; savepoint call`).execute(trx);
      marked = windows.flatMap(({ ledger }) =>
        Object.values(ledger).map((rows: unknown[]) => [rows, rows.length] as const),
      );
    },
    async undo() {
      await sql`rollback to savepoint call`.execute(trx);
      for (const [rows, length] of marked ?? []) rows.length = length;
    },
  };
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
    running?.(events);
    try {
      return await module.handleMany(
        events.map((opened) => opened.event),
        context,
      );
    } catch (error) {
      throw new WindowMustShrink(undefined, error);
    } finally {
      running?.([]);
    }
  }
  const outcomes: Outcome[] = [];
  for (const opened of events) {
    running?.([opened]);
    await note?.({ mseq: opened.row.mseq, handler });
    try {
      outcomes.push(await handleOne(module, handler, opened.event, context));
    } catch (error) {
      throw new WindowMustShrink(opened, error);
    }
  }
  running?.([]);
  return outcomes;
}
