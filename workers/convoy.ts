import type pg from 'pg';
import { type ExecuteDependencies, registryOf } from './execute.ts';
import { WindowMustShrink, executeTogether } from './execute-together.ts';
import { type LaneState, type Tenure, takeFences } from './fence.ts';
import { type LaneTransaction, inLaneTransaction } from './lane-transaction.ts';
import { type LaneSettlement, emptyLedger, settle } from './settle.ts';
import { type TurnLimits, roleOf, windowOf } from './turns.ts';
import { type OpenedEvent, openEvent, readWindows } from './window.ts';
import type { CommittedLane } from './act.ts';
import type { ConvoyPace } from './convoy-pace.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { LanewayError, isServerAway } from '../core/runtime/errors.ts';

/**
 * Windows of many lanes in one transaction. A commit and the round trips around it cost the same for one event as for a
 * thousand, and most lanes have few.
 *
 * Each lane keeps its own fence, order and outcome:
 *   a lane that another owner has is refused, one that is locked or has something open is left for a run of its own, and
 *   the others go on without it;
 *   a transaction that fails is rolled back and tried again without its culprit, where that is known, else in halves; the
 *   lane that is left over runs alone, where its failure is judged. Nothing is judged here: what failed may be another
 *   lane's doing;
 *   where a second one fails there may be many, so from then on what is left is also halved: else the good lanes would be
 *   run and rolled back once for each of them. A convoy that takes too long all the same is broken up into lanes alone.
 */
export interface ConvoyDependencies extends ExecuteDependencies {
  pool: pg.Pool;
  clock: Clock;
  limits: TurnLimits;
  pace: ConvoyPace;
  /** How long one transaction may take; what takes longer is for a run of its own. */
  convoyMs: number;
  /** How long a statement may wait for a lock that somebody outside holds. */
  lockTimeoutMs: number;
}

export type ConvoyEnd =
  | { kind: 'worked'; committed: CommittedLane; more: boolean; weight: number }
  | { kind: 'caught-up' }
  /** Paused or blocked: not before an operator acts. */
  | { kind: 'waiting'; wake: number }
  /** Must be worked on its own. `failed`: it, or one it could not be told from, made the transaction fail. */
  | { kind: 'alone'; failed: boolean }
  | { kind: 'refused'; error: LanewayError };

type Ends = Map<string, ConvoyEnd>;

/** The attempts that one convoy leads to. */
interface Round {
  /** A failure has shown that there may be more. */
  halve: boolean;
  /** When it is broken up, epoch milliseconds. */
  until: number;
}

/** What a transaction was doing when it ended. */
interface Trace {
  /** Where events are handled one by one: the one in hand, and since when, epoch milliseconds. */
  running: OpenedEvent | undefined;
  sinceMs: number;
  /** Events of all its lanes. */
  events: number;
}

/** So many times the longest that one transaction may take; what is left then would wait longer than it takes alone. */
const ROUND_TRANSACTIONS = 4;

/**
 * Works one window of each lane. Every tenure that committed knows its new cursor afterwards. Rejects with `stop`'s reason,
 * or when Postgres is away: what was committed by then, the fence will say.
 */
export async function workConvoy(
  deps: ConvoyDependencies,
  tenures: ReadonlyMap<string, Tenure>,
  stop: AbortSignal,
  round: Round = { halve: false, until: deps.clock.now() + ROUND_TRANSACTIONS * deps.convoyMs },
): Promise<Ends> {
  const trace: Trace = { running: undefined, sinceMs: 0, events: 0 };
  const startedAt = deps.clock.now();
  try {
    const ends = await inLaneTransaction(
      deps.pool,
      deps.convoyMs,
      stop,
      (trx, signal) => convoyStep(deps, trx, tenures, signal, trace),
      deps.lockTimeoutMs,
    );
    deps.pace.committed({ events: trace.events, tookMs: deps.clock.now() - startedAt });
    for (const [merchantId, end] of ends) {
      const tenure = tenures.get(merchantId);
      if (end.kind === 'worked' && tenure !== undefined) tenure.expectedCursor = end.committed.cursor;
    }
    return ends;
  } catch (error) {
    if (stop.aborted || isServerAway(error)) throw error;
    let culprit = error instanceof WindowMustShrink ? error.culprit : trace.running;
    if (error instanceof LanewayError && error.code === 'handler.deadline') {
      // Who was running when time ran out may only have been one of too many.
      if (deps.clock.now() - trace.sinceMs < deps.convoyMs / 2) culprit = undefined;
      round.halve = true;
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
  const left = all.length === 1 ? all[0]?.[0] : culprit;
  const ends: Ends = new Map();
  if (left !== undefined && tenures.has(left)) ends.set(left, { kind: 'alone', failed: true });
  const others = all.filter(([id]) => !ends.has(id));
  const parts = ends.size > 0 && !round.halve ? [others] : halvesOf(others);
  round.halve = true;
  // One after the other: both halves at once would double what a failure costs the database.
  for (const part of parts) {
    if (part.length === 0) continue;
    const worked =
      deps.clock.now() < round.until
        ? await workConvoy(deps, new Map(part), stop, round)
        : part.map(([id]): [string, ConvoyEnd] => [id, { kind: 'alone', failed: false }]);
    for (const [merchantId, end] of worked) ends.set(merchantId, end);
  }
  return ends;
}

function halvesOf<T>(items: readonly T[]): T[][] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
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
  trace: Trace,
): Promise<Ends> {
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
  if (sharing.length === 0) return ends;
  const settlements = await runWindows(deps, trx, sharing, ends, signal, trace);
  if (settlements.length === 0) return ends;
  await settle(trx, settlements, deps.clock.now());
  return ends;
}

async function runWindows(
  deps: ConvoyDependencies,
  trx: LaneTransaction,
  sharing: readonly Sharing[],
  ends: Ends,
  signal: AbortSignal,
  trace: Trace,
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
    const { rows, more } = windows.get(merchantId) ?? { rows: [], more: false };
    const last = rows.at(-1);
    if (last === undefined) {
      ends.set(merchantId, { kind: 'caught-up' });
      return [];
    }
    const events = rows.map((row) => openEvent(registry, merchantId, row));
    if (events.some((opened) => opened.fault !== undefined)) {
      ends.set(merchantId, { kind: 'alone', failed: true });
      return [];
    }
    const ledger = emptyLedger();
    const committed = { merchantId, ledger, cursor: last.mseq };
    ends.set(merchantId, { kind: 'worked', committed, more, weight: lane.weight });
    const move = { cursor: last.mseq, cursorDay: last.day, recount: false };
    return [{ merchantId, tenure, events, held: new Set<string>(), ledger, move }];
  });
  trace.events = lanes.reduce((sum, { events }) => sum + events.length, 0);
  const running = (opened: OpenedEvent | undefined) => {
    trace.running = opened;
    trace.sinceMs = deps.clock.now();
  };
  if (lanes.length > 0) await executeTogether(deps, trx, lanes, { signal, now: deps.clock.now(), running });
  return lanes;
}
