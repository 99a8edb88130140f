import type pg from 'pg';
import {
  type Delivery,
  MAX_OPEN_DELIVERIES,
  absorbRedrives,
  isDue,
  nextTry,
  postponeDeliveries,
  readDeliveries,
  recountDeliveries,
} from './deliveries.ts';
import { type ExecuteDependencies, heldKey, newDelivery, registryOf } from './execute.ts';
import { type AloneInput, type AloneResult, executeAlone, recordDeadline } from './execute-alone.ts';
import { WindowMustShrink, executeTogether } from './execute-together.ts';
import { type LaneState, type Tenure, takeFence } from './fence.ts';
import type { InHand, Pair } from './in-hand.ts';
import { allowanceOf, isDrained, isTurnOver, pauseDrained, spendTokens } from './lane-limits.ts';
import { type LaneTransaction, inLaneTransaction } from './lane-transaction.ts';
import { type Trace, newTrace } from './step-trace.ts';
import { type Ledger, emptyLedger, settle } from './settle.ts';
import { type OpenedEvent, openEvent, openWindow, readInboxRow, readWindows } from './window.ts';
import { type WindowPlan, eventsUpTo, passed, planUnsettled, shrink } from './window-plan.ts';
import { hasHandler } from '../core/events/registry.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { LanewayError, isInfrastructureError } from '../core/runtime/errors.ts';
import { newOwner } from '../core/runtime/ids.ts';

/**
 * One visit of an actor to a lane: windows until the lane is caught up, its quantum is used, or it must wait.
 *
 *   window ──ok──► window … ──nothing left──► caught-up
 *     │  └──quantum used──► yield (to the tail of the activations)
 *     ├──head not due, paused or blocked──► waiting
 *     └──did not go through──► smaller windows ──► the culprit alone ──► settled, set aside, or waiting
 *
 * A careful visit follows a death: before each handler it notes what it is about to run. Where the last careful visit died
 * as well, its note says of what: the events before that one go first, and then its death is counted and it is tried alone,
 * so that an event that kills its process comes to an end although nobody lives to report it.
 */
export interface ActDependencies extends ExecuteDependencies {
  pool: pg.Pool;
  clock: Clock;
  worker: string;
  windowEvents: number;
  windowBytes: number;
  quantumWindows: number;
  quantumMs: number;
  /** A lane transaction may not outlive the lease; 5 s of it are left for the commit and the next renewal. */
  leaseMs: number;
  inHand: InHand;
  /** Called after each commit, with what it wrote: nothing in a lane that was caught up, of which pointers may have come late. */
  committed(lanes: readonly CommittedLane[]): void;
}

export interface CommittedLane {
  merchantId: string;
  ledger: Ledger;
  cursor: number;
}

export type LaneEnd =
  | { kind: 'caught-up'; events: number }
  | { kind: 'yield'; events: number }
  /** Nothing can run before `until`; without it, not before an operator acts. */
  | { kind: 'waiting'; events: number; until: Date | undefined; wake: number };

export const newTenure = (worker: string): Tenure => ({ owner: newOwner(), worker, expectedCursor: undefined });

const LEASE_MARGIN_MS = 5_000;
/**
 * Of a transaction's time, what a statement may wait for a lock: that long before the deadline, since whoever waits for
 * somebody else has not failed, and its handler has had no attempt.
 */
const LOCK_SHARE = 0.2;
/** For how long a pair whose handler this release lacks is left to workers that may have it, before it is looked at again. */
const STRANGE_MS = 60_000;

interface Visit extends WindowPlan {
  merchantId: string;
  tenure: Tenure;
  stop: AbortSignal;
  /** What the last visit died of, until its death is counted. */
  deadly: Pair | undefined;
  /** The lane's, as last read. */
  weight: number;
}

type Step =
  | { kind: 'worked'; events: number; cursor: number; more: boolean; ledger: Ledger }
  | { kind: 'caught-up'; cursor: number }
  | { kind: 'waiting'; until: Date | undefined; wake: number }
  /** Nothing was worked, but the next transaction will do better: a smaller window, or a pair whose death is counted. */
  | { kind: 'again' };

export interface VisitOptions {
  /** After a death of a process that had the lane. */
  careful: boolean;
  stop: AbortSignal;
  /** Ends the visit after the window in hand. */
  yield?: AbortSignal;
  /** Whether others wait for the place that this visit has: its quantum is a single window then. */
  othersWait?: () => boolean;
  /** Goes on with a lane that this process has the fence of. */
  tenure?: Tenure;
}

/**
 * Rejects with infrastructure errors, `fence.lost` among them, and with `stop`'s reason: the visit is then void.
 */
export async function workLane(deps: ActDependencies, merchantId: string, options: VisitOptions): Promise<LaneEnd> {
  const { careful, stop, tenure = newTenure(deps.worker) } = options;
  const visit: Visit = {
    ...{ merchantId, tenure, stop, plan: [], unsettled: undefined, weight: 1 },
    carefulLeft: careful ? deps.windowEvents : 0,
    deadly: careful ? await deps.inHand.take(merchantId) : undefined,
  };
  try {
    return await workVisit(deps, visit, options);
  } finally {
    // Who was stopped from outside may have been thought dead, and the note may be of whoever came after.
    if (careful && !stop.aborted) {
      if (visit.deadly === undefined) await deps.inHand.clear(merchantId);
      else await deps.inHand.note(merchantId, visit.deadly);
    }
  }
}

async function workVisit(
  deps: ActDependencies,
  visit: Visit,
  { yield: yieldNow, othersWait }: VisitOptions,
): Promise<LaneEnd> {
  const { merchantId } = visit;
  const started = deps.clock.now();
  let events = 0;
  let windows = 0;
  for (;;) {
    const step = await nextStep(deps, visit);
    switch (step.kind) {
      case 'caught-up':
        deps.committed([{ merchantId, ledger: emptyLedger(), cursor: step.cursor }]);
        return { kind: 'caught-up', events };
      case 'waiting':
        return { kind: 'waiting', events, until: step.until, wake: step.wake };
      case 'again':
        continue;
      case 'worked':
        events += step.events;
        windows += 1;
        deps.committed([{ merchantId, ledger: step.ledger, cursor: step.cursor }]);
        if (!step.more) return { kind: 'caught-up', events };
        if (yieldNow?.aborted === true) return { kind: 'yield', events };
        // The next visit would not be careful: it would die of an event further on without learning which.
        if (visit.carefulLeft > 0) continue;
        // A failed window that is being narrowed down is one window still.
        const short = othersWait?.() === true && visit.plan.length === 0;
        const quantum = short ? { ...deps, quantumWindows: 1 } : deps;
        if (isTurnOver({ windows, elapsedMs: deps.clock.now() - started }, quantum, visit.weight))
          return { kind: 'yield', events };
        continue;
      default:
        step satisfies never;
    }
  }
}

async function nextStep(deps: ActDependencies, visit: Visit): Promise<Step> {
  const trace = newTrace();
  const deadlineMs = Math.max(deps.leaseMs / 2, deps.leaseMs - LEASE_MARGIN_MS);
  try {
    return await inLaneTransaction(
      deps.pool,
      deadlineMs,
      visit.stop,
      (trx, signal) => takeStep(deps, trx, visit, { signal, now: deps.clock.now() }, trace),
      LOCK_SHARE * deadlineMs,
    );
  } catch (error) {
    if (visit.stop.aborted) throw error;
    const deadline = error instanceof LanewayError && error.code === 'handler.deadline' ? error : undefined;
    if (deadline !== undefined && trace.alone !== undefined && trace.running !== undefined)
      return await recordEnded(deps, visit, trace.alone, trace.running, trace.cursor, deadline);
    // Nothing is classified while several events share a transaction: the failure may be another one's doing.
    if (trace.size > 1 && (error instanceof WindowMustShrink || deadline !== undefined)) {
      const culprit = error instanceof WindowMustShrink && error.culprit !== undefined;
      shrink(visit, trace.size, culprit ? trace.events.indexOf(error.culprit) : undefined);
      return { kind: 'again' };
    }
    const refused = trace.settling && deadline === undefined && !isInfrastructureError(error);
    if (refused && planUnsettled(visit, trace.size, trace.alone?.opened.row.mseq)) return { kind: 'again' };
    throw error;
  }
}

async function takeStep(
  deps: ActDependencies,
  trx: LaneTransaction,
  visit: Visit,
  base: { signal: AbortSignal; now: number },
  trace: Trace,
): Promise<Step> {
  const { merchantId } = visit;
  const lane = await takeFence(trx, merchantId, visit.tenure);
  trace.cursor = lane.cursor;
  if (lane.state !== 'active') return { kind: 'waiting', until: undefined, wake: lane.wake };
  visit.weight = lane.weight;
  const open = await readOpen(trx, merchantId, lane);
  if (isDrained(lane, open)) {
    await pauseDrained(trx, merchantId, base.now);
    return { kind: 'waiting', until: undefined, wake: lane.wake };
  }
  // One whose handler this release does not have is for a worker that has it.
  const known = (d: Delivery) => hasHandler(deps.registry, d);
  const due = (d: Delivery) => known(d) && isDue(d, base.now);
  const strange = open.filter((d) => !known(d) && isDue(d, base.now));
  if (strange.length > 0) await postponeDeliveries(trx, merchantId, strange, base.now + STRANGE_MS);
  const wait = async (until: Date | undefined): Promise<Step> => {
    // Left in the past, it would have the sweeper end this wait at each of its passes.
    if (strange.length > 0 || isPast(lane.dueAt, base.now)) await recountDeliveries(trx, merchantId);
    return { kind: 'waiting', until, wake: lane.wake };
  };
  const aside = open.filter((d) => d.mseq <= lane.cursor);
  const head = open.filter((d) => d.mseq > lane.cursor);
  const held = new Set(aside.flatMap((d) => (d.holdKey === null ? [] : [heldKey(d.handler, d.holdKey)])));

  const turn = aside.find(due);
  if (turn !== undefined) {
    const row = await readInboxRow(trx, merchantId, turn.day, turn.mseq, deps.keyring);
    if (row === undefined) throw new Error(`inbox row ${turn.mseq} of ${merchantId} is gone, its delivery is not`);
    const pairs = aside.filter((d) => d.mseq === turn.mseq);
    const opened = openEvent(deps.registry, merchantId, row);
    return await stepAlone(deps, trx, visit, lane, { opened, pairs, held, only: turn.handler, base }, trace);
  }
  const mustWait = head.length > 0 ? !head.some(due) : open.length >= MAX_OPEN_DELIVERIES;
  if (mustWait) return await wait(nextTry(open.filter(known)));
  const allowed = allowanceOf(lane, base.now);
  if (allowed.kind === 'exhausted') {
    const until = Math.min(allowed.until, nextTry(aside.filter(known))?.getTime() ?? allowed.until);
    return await wait(new Date(until));
  }

  const planned = Math.min(visit.plan[0] ?? deps.windowEvents, eventsUpTo(visit.deadly, lane.cursor));
  const wanted = head.length > 0 ? 1 : planned;
  const size = { events: Math.min(wanted, allowed.events), bytes: deps.windowBytes };
  const { cursor, cursorDay } = lane;
  const windows = await readWindows(trx, [{ merchantId, cursor, cursorDay }], size, deps.keyring);
  const { rows, more, generation } = windows.get(merchantId) ?? { rows: [], more: false, generation: 0 };
  if (rows.length === 0) {
    if (lane.dueAt !== null || strange.length > 0) await recountDeliveries(trx, merchantId);
    return { kind: 'caught-up', cursor };
  }
  const events = openWindow(await registryOf(deps, trx, generation), merchantId, rows);
  const [first] = events;
  const last = events.at(-1);
  if (first === undefined || last === undefined) throw new Error('a window of rows has no event');
  if (first === last) return await stepAlone(deps, trx, visit, lane, { opened: first, pairs: head, held, base }, trace);

  trace.size = events.length;
  trace.events = events;
  const fault = events.find((opened) => opened.fault !== undefined);
  if (fault !== undefined) throw new WindowMustShrink(fault, fault.fault);
  const ledger = emptyLedger();
  await executeTogether(deps, trx, [{ merchantId, events, held, ledger }], { ...base, note: noteOf(deps, visit) });
  const recount = open.length > 0 || ledger.deliveries.length > 0;
  const move = { cursor: last.row.mseq, cursorDay: last.row.day, recount };
  trace.settling = true;
  await settle(trx, [{ merchantId, tenure: visit.tenure, ledger, move }], base.now);
  await spendTokens(trx, merchantId, lane, events.length, base.now);
  afterCommit(visit, last.row.mseq, events.length);
  const left = more || events.length < rows.length;
  return { kind: 'worked', events: events.length, cursor: last.row.mseq, more: left, ledger };
}

const isPast = (time: Date | null, now: number): boolean => time !== null && time.getTime() <= now;

async function readOpen(trx: LaneTransaction, merchantId: string, lane: LaneState): Promise<readonly Delivery[]> {
  if (lane.openDeliveries === 0 && lane.dueAt === null) return [];
  await absorbRedrives(trx, merchantId);
  return await readDeliveries(trx, merchantId);
}

/**
 * Notes what the transaction will have done once it commits. Set inside it: if the commit fails the visit ends with the
 * error, or starts the step over from what the fence then finds.
 */
function afterCommit(visit: Visit, cursor: number, events: number): void {
  visit.tenure.expectedCursor = cursor;
  passed(visit, events);
}

const noteOf = ({ inHand }: ActDependencies, { carefulLeft, merchantId }: Visit) =>
  carefulLeft > 0 ? (pair: Pair) => inHand.note(merchantId, pair) : undefined;

interface Alone {
  opened: OpenedEvent;
  /** Open deliveries of the event. */
  pairs: readonly Delivery[];
  held: ReadonlySet<string>;
  /** Set for a pair that was set aside: the event lies before the cursor. */
  only?: string;
  base: { signal: AbortSignal; now: number };
}

async function stepAlone(
  deps: ActDependencies,
  trx: LaneTransaction,
  visit: Visit,
  lane: LaneState,
  alone: Alone,
  trace: Trace,
): Promise<Step> {
  const { merchantId, tenure, deadly } = visit;
  const lot = { merchantId, tenure, move: { cursor: lane.cursor, cursorDay: lane.cursorDay, recount: true } };
  if (deadly !== undefined && deadly.mseq === alone.opened.row.mseq) {
    visit.deadly = undefined;
    const deliveries = countDeath(alone, deadly.handler);
    if (deliveries.length > 0) {
      const ledger = { ...emptyLedger(), deliveries };
      await settle(trx, [{ ...lot, ledger }], alone.base.now);
      visit.tenure.expectedCursor = lane.cursor;
      return { kind: 'again' };
    }
  }
  const input: AloneInput = {
    opened: alone.opened,
    rows: new Map(alone.pairs.map((d) => [d.handler, d])),
    held: alone.held,
    setAside: alone.only !== undefined,
    ...(alone.only === undefined ? {} : { only: alone.only }),
    running: (pair) => (trace.running = pair),
    note: noteOf(deps, visit),
    trySettling:
      visit.unsettled === alone.opened.row.mseq
        ? (ledger) => settle(trx, [{ ...lot, ledger }], alone.base.now)
        : undefined,
    base: alone.base,
  };
  trace.size = 1;
  trace.alone = input;
  const result = await executeAlone(deps, trx, input);
  trace.settling = true;
  return await settleAlone(visit, trx, lane, input, result);
}

async function settleAlone(
  visit: Visit,
  trx: LaneTransaction,
  lane: LaneState,
  input: AloneInput,
  { ledger, passes, block }: AloneResult,
): Promise<Step> {
  const moves = passes && !input.setAside;
  const { row } = input.opened;
  const to = moves ? { cursor: row.mseq, cursorDay: row.day } : { cursor: lane.cursor, cursorDay: lane.cursorDay };
  const recount =
    lane.openDeliveries > 0 || lane.dueAt !== null || ledger.deliveries.length > 0 || ledger.finished.length > 0;
  const move = { ...to, recount, ...(block === undefined ? {} : { block }) };
  const { merchantId, tenure } = visit;
  await settle(trx, [{ merchantId, tenure, ledger, move }], input.base.now);
  await spendTokens(trx, merchantId, lane, moves ? 1 : 0, input.base.now);
  afterCommit(visit, to.cursor, moves ? 1 : 0);
  return { kind: 'worked', events: moves ? 1 : 0, cursor: to.cursor, more: true, ledger };
}

/** The rows of an event of which one pair killed its process once more; none where the pair has ended since. */
function countDeath({ opened, pairs, base }: Alone, handler: string): Delivery[] {
  const rows = pairs.length > 0 ? pairs : opened.definition.handlers.map((h) => newDelivery(opened, h, base.now));
  if (!rows.some((d) => d.handler === handler)) return [];
  return rows.map((d) => (d.handler === handler ? { ...d, crashes: d.crashes + 1 } : d));
}

/**
 * The deadline ended a run and its connection. The attempt is recorded in a transaction of its own, from what the stores
 * hold now: the lost one may have been committed after all, or another owner may have been here.
 */
async function recordEnded(
  deps: ActDependencies,
  visit: Visit,
  ended: AloneInput,
  pair: Pair,
  cursor: number | undefined,
  error: LanewayError,
): Promise<Step> {
  const { merchantId } = visit;
  return await inLaneTransaction(deps.pool, LEASE_MARGIN_MS, visit.stop, async (trx, signal) => {
    const now = deps.clock.now();
    const lane = await takeFence(trx, merchantId, visit.tenure);
    const open = await readOpen(trx, merchantId, lane);
    const pairs = open.filter((d) => d.mseq === pair.mseq);
    const gone = ended.setAside ? !pairs.some((d) => d.handler === pair.handler) : lane.cursor !== cursor;
    if (gone) return { kind: 'again' };
    const input: AloneInput = {
      ...ended,
      rows: new Map(pairs.map((d) => [d.handler, d])),
      base: { signal, now },
    };
    return await settleAlone(visit, trx, lane, input, recordDeadline(deps, input, pair, error));
  });
}
