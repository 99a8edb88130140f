import type pg from 'pg';
import { type ExecuteDependencies, registryOf } from './execute.ts';
import { WindowMustShrink, executeTogether } from './execute-together.ts';
import { type LaneState, type Tenure, takeFences } from './fence.ts';
import { type LaneTransaction, inLaneTransaction } from './lane-transaction.ts';
import { type LaneSettlement, emptyLedger, settle } from './settle.ts';
import { type StallWatch, watchStalls } from './stall-watch.ts';
import { type TurnLimits, roleOf, windowOf } from './turns.ts';
import { type InboxRow, type OpenedEvent, openWindow, readWindows } from './window.ts';
import type { CommittedLane } from './act.ts';
import type { ConvoyPace } from './convoy-pace.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { LanewayError, isServerAway } from '../core/runtime/errors.ts';

/**
 * Windows of many lanes in one transaction. A commit and the round trips around it cost the same for one event as for a
 * thousand, and most lanes have few.
 *
 * Each lane keeps its own fence, order and outcome:
 *   a lane that another owner has is refused, one that is locked or has something open is left for a run of its own, and
 *   the others go on without it;
 *   a call that fails is undone to its savepoint, and the lane it failed for contributes what came before it and goes on
 *   alone, where the failure is judged. Nothing is judged here: what failed may be another lane's doing;
 *   a transaction that fails as a whole is rolled back and tried again without its culprit, where that is known, else in
 *   halves. What there is no time for all the same is put back, for a smaller convoy.
 */
export interface ConvoyDependencies extends ExecuteDependencies {
  pool: pg.Pool;
  clock: Clock;
  limits: TurnLimits;
  pace: ConvoyPace;
  /** Called after each commit, with what it wrote: nothing in a lane that was caught up, of which pointers may have come late. */
  committed(lanes: readonly CommittedLane[]): void;
  /** How long one transaction may take. */
  convoyMs: number;
  /** How long a single call of a handler may take; what takes longer is for a run of its own. */
  callMs: number;
  /** How long a statement may wait for a lock that somebody outside holds. */
  lockTimeoutMs: number;
}

export type ConvoyEnd =
  | { kind: 'worked'; more: boolean; weight: number }
  | { kind: 'caught-up' }
  /** Paused or blocked: not before an operator acts. */
  | { kind: 'waiting'; wake: number }
  /** Must be worked on its own. `failed`: the others paid for it, and should not do so again soon. */
  | { kind: 'alone'; failed: boolean }
  /** Not worked, and nothing to be said against it: the others took too long. */
  | { kind: 'put-back' }
  | { kind: 'refused'; error: LanewayError };

type Ends = Map<string, ConvoyEnd>;

/** The attempts that one convoy leads to. */
interface Round {
  /** A failure has shown that there may be more. */
  halve: boolean;
  /** When what is left is put back, epoch milliseconds. */
  until: number;
}

/** Who is told what a transaction does. */
interface Runs extends Pick<StallWatch, 'running'> {
  /** With the number of events of all its lanes. */
  read(events: number): void;
}

/**
 * Works one window of each lane. Every tenure that committed knows its new cursor afterwards. Rejects with `stop`'s reason,
 * or when Postgres is away: what was committed by then, the fence will say.
 */
export async function workConvoy(
  deps: ConvoyDependencies,
  tenures: ReadonlyMap<string, Tenure>,
  stop: AbortSignal,
  round: Round = { halve: false, until: deps.clock.now() + deps.convoyMs },
): Promise<Ends> {
  const startedAt = deps.clock.now();
  using watch = watchStalls(deps.callMs);
  let events = 0;
  const runs: Runs = { running: watch.running, read: (count) => (events = count) };
  try {
    const done = await inLaneTransaction(
      deps.pool,
      deps.convoyMs,
      AbortSignal.any([stop, watch.signal]),
      (trx, signal) => convoyStep(deps, trx, tenures, signal, runs),
      deps.lockTimeoutMs,
    );
    deps.pace.committed({ events, tookMs: deps.clock.now() - startedAt });
    for (const { merchantId, cursor } of done.committed) {
      const tenure = tenures.get(merchantId);
      if (tenure !== undefined) tenure.expectedCursor = cursor;
    }
    deps.committed([...done.committed, ...done.caughtUp]);
    return done.ends;
  } catch (error) {
    if (stop.aborted) throw error;
    // What the server said, not that a call of a handler heard it.
    if (isServerAway(error)) throw error instanceof WindowMustShrink ? error.cause : error;
    let culprit: OpenedEvent | undefined;
    if (error instanceof WindowMustShrink) culprit = error.culprit;
    else if (watch.signal.aborted) culprit = watch.culprit;
    else if (error instanceof LanewayError && error.code === 'handler.deadline') {
      deps.pace.ranOut();
    }
    return await withoutCulprit(deps, tenures, culprit?.event.merchantId, stop, round);
  }
}

async function withoutCulprit(
  deps: ConvoyDependencies,
  tenures: ReadonlyMap<string, Tenure>,
  culprit: string | undefined,
  stop: AbortSignal,
  round: Round,
): Promise<Ends> {
  const all = [...tenures];
  const [only] = tenures.keys();
  // By itself from the start, it has cost nobody anything.
  if (all.length === 1 && only !== undefined) return new Map([[only, { kind: 'alone', failed: round.halve }]]);
  const others = all.filter(([id]) => id !== culprit);
  if (others.length === all.length) return await inHalves(deps, all, stop, round);
  // Where a second one fails there may be many: from then on the good ones would be run once for each of them.
  const worked = round.halve
    ? await inHalves(deps, others, stop, round)
    : await inParts(deps, [others], stop, { ...round, halve: true });
  return new Map([...worked, [culprit ?? '', { kind: 'alone', failed: true }]]);
}

/** Tries lanes again of which some made a transaction fail. */
async function inHalves(
  deps: ConvoyDependencies,
  lanes: readonly (readonly [string, Tenure])[],
  stop: AbortSignal,
  round: Round,
): Promise<Ends> {
  const middle = Math.ceil(lanes.length / 2);
  return await inParts(deps, [lanes.slice(0, middle), lanes.slice(middle)], stop, { ...round, halve: true });
}

/** One after the other: all at once would multiply what a failure costs the database. */
async function inParts(
  deps: ConvoyDependencies,
  parts: readonly (readonly (readonly [string, Tenure])[])[],
  stop: AbortSignal,
  round: Round,
): Promise<Ends> {
  const ends: Ends = new Map();
  for (const part of parts) {
    if (part.length === 0) continue;
    const worked =
      deps.clock.now() < round.until
        ? await workConvoy(deps, new Map(part), stop, round)
        : part.map(([id]): [string, ConvoyEnd] => [id, { kind: 'put-back' }]);
    for (const [merchantId, end] of worked) ends.set(merchantId, end);
  }
  return ends;
}

/** What a transaction did. */
interface Done {
  ends: Ends;
  committed: readonly CommittedLane[];
  /** Lanes of which nobody became the owner: nothing was left to do. */
  caughtUp: readonly CommittedLane[];
}

interface Sharing {
  merchantId: string;
  tenure: Tenure;
  lane: LaneState;
}

async function convoyStep(
  deps: ConvoyDependencies,
  trx: LaneTransaction,
  tenures: ReadonlyMap<string, Tenure>,
  signal: AbortSignal,
  runs: Runs,
): Promise<Done> {
  const ends: Ends = new Map();
  const sharing: Sharing[] = [];
  const found = await takeFences(trx, tenures);
  for (const [merchantId, tenure] of tenures) {
    const lane = found.get(merchantId);
    if (lane === undefined) ends.set(merchantId, { kind: 'alone', failed: false });
    else if (lane instanceof LanewayError) ends.set(merchantId, { kind: 'refused', error: lane });
    else {
      const role = roleOf(lane);
      if (role === 'share') sharing.push({ merchantId, tenure, lane });
      else
        ends.set(merchantId, role === 'wait' ? { kind: 'waiting', wake: lane.wake } : { kind: 'alone', failed: false });
    }
  }
  const settlements = sharing.length === 0 ? [] : await runWindows(deps, trx, sharing, ends, signal, runs);
  if (settlements.length > 0) await settle(trx, settlements, deps.clock.now());
  const committed = settlements.map(({ merchantId, ledger, move: { cursor } }) => ({ merchantId, ledger, cursor }));
  const caughtUp = sharing
    .filter(({ merchantId }) => ends.get(merchantId)?.kind === 'caught-up')
    .map(({ merchantId, lane: { cursor } }) => ({ merchantId, ledger: emptyLedger(), cursor }));
  return { ends, committed, caughtUp };
}

async function runWindows(
  deps: ConvoyDependencies,
  trx: LaneTransaction,
  sharing: readonly Sharing[],
  ends: Ends,
  signal: AbortSignal,
  runs: Runs,
): Promise<LaneSettlement[]> {
  const windows = await readWindows(
    trx,
    sharing.map(({ merchantId, lane: { cursor, cursorDay } }) => ({ merchantId, cursor, cursorDay })),
    windowOf(sharing.length, { ...deps.limits, convoyEvents: deps.pace.events }),
    deps.keyring,
  );
  // The statement is one, and so is what it saw.
  const [{ generation } = { generation: 0 }] = windows.values();
  const registry = await registryOf(deps, trx, generation);
  const lanes = sharing.flatMap(({ merchantId, tenure, lane }) => {
    const { rows, more: further } = windows.get(merchantId) ?? { rows: [], more: false };
    if (rows.length === 0) {
      ends.set(merchantId, { kind: 'caught-up' });
      return [];
    }
    const events = openForSharing(registry, merchantId, rows);
    if (events === undefined || events.some((opened) => opened.fault !== undefined)) {
      ends.set(merchantId, { kind: 'alone', failed: true });
      return [];
    }
    const more = further || events.length < rows.length;
    return [{ merchantId, tenure, events, held: new Set<string>(), ledger: emptyLedger(), more, weight: lane.weight }];
  });
  runs.read(lanes.reduce((sum, { events }) => sum + events.length, 0));
  if (lanes.length === 0) return [];
  // One lane has nobody to spare: what fails is judged when it runs alone.
  const base = { signal, now: deps.clock.now(), running: runs.running, savepoints: lanes.length > 1 };
  const stops = await executeTogether(deps, trx, lanes, base);
  return lanes.flatMap(({ merchantId, tenure, events, ledger, more, weight }) => {
    const stop = stops.get(merchantId);
    const last = stop === undefined ? events.at(-1) : events.findLast(({ event }) => event.mseq < stop.before);
    if (stop === undefined) ends.set(merchantId, { kind: 'worked', more, weight });
    else ends.set(merchantId, { kind: 'alone', failed: stop.costly });
    if (last === undefined) return [];
    const move = { cursor: last.row.mseq, cursorDay: last.row.day, recount: false };
    return [{ merchantId, tenure, ledger, move }];
  });
}

/** Undefined where a newer release has accepted the first: the lane waits for a worker that knows it, and the others do not. */
function openForSharing(
  registry: Registry,
  merchantId: string,
  rows: readonly InboxRow[],
): readonly OpenedEvent[] | undefined {
  try {
    return openWindow(registry, merchantId, rows);
  } catch (error) {
    if (error instanceof LanewayError) return undefined;
    throw error;
  }
}
