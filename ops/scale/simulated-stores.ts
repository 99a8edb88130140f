import type { Clock } from '../../core/runtime/clock.ts';
import type { Activation, ActivationEnd } from '../../workers/activation-queue.ts';
import type { ConvoyEnd } from '../../workers/convoy.ts';
import type { Tenure } from '../../workers/fence.ts';
import { type TurnLimits, windowOf } from '../../workers/turns.ts';
import type { ConvoyCost } from './measured.ts';

/** Merchants are numbers here: a million names would be most of the memory. */
export const merchantOf = (id: string): number => Number(id);

/**
 * Redis as workers see it: at most one activation of a merchant waits or runs, and a wake-up during a run is followed by
 * another one. What the scripts in workers/activation-scripts.ts do, without a network between.
 */
export function createSimulatedActivations(merchants: number) {
  const waiting: number[] = [];
  let first = 0;
  const state = new Uint8Array(merchants);
  const [NONE, WAITING, ACTIVE, FOLLOWED] = [0, 1, 2, 3];
  const wakers: (() => void)[] = [];
  let claims = 0;
  const toTail = (merchant: number): void => {
    state[merchant] = WAITING;
    waiting.push(merchant);
  };
  return {
    get claims() {
      return claims;
    },
    get depth() {
      return waiting.length - first;
    },
    add(merchant: number): void {
      if (state[merchant] === ACTIVE) state[merchant] = FOLLOWED;
      else if (state[merchant] === NONE) {
        toTail(merchant);
        wakers.pop()?.();
      }
    },
    exchange(ends: readonly ActivationEnd[], room: number): readonly Activation[] {
      for (const { activation, action } of ends) {
        const merchant = merchantOf(activation.merchantId);
        if (action === 'again' || state[merchant] === FOLLOWED) toTail(merchant);
        else state[merchant] = NONE;
      }
      const claimed: Activation[] = [];
      while (claimed.length < room && first < waiting.length) {
        const merchant = waiting[first++] ?? 0;
        if (state[merchant] !== WAITING) throw new Error(`merchant ${merchant} was claimed twice`);
        state[merchant] = ACTIVE;
        claims += 1;
        claimed.push({ id: String(claims), merchantId: String(merchant), token: '', stalledCount: 0, claimCount: 1 });
      }
      if (first > 1_000_000) {
        waiting.splice(0, first);
        first = 0;
      }
      return claimed;
    },
    /** Resolves when something is added. */
    idle: (): Promise<void> => new Promise((resolve) => wakers.push(resolve)),
    wakeAll(): void {
      for (const wake of wakers.splice(0)) wake();
    },
  };
}

export type SimulatedActivations = ReturnType<typeof createSimulatedActivations>;

/** How long events waited from their acceptance to their commit, milliseconds. */
export interface Dwell {
  add(merchant: number, waitedMs: number): void;
}

/**
 * Postgres as workers see it: the events that each lane has, and a transaction that takes as long as was measured. It has
 * so many processors, and transactions wait for one.
 */
export function createSimulatedLanes(options: {
  merchants: number;
  clock: Clock;
  limits: TurnLimits;
  cost: ConvoyCost;
  processors: number;
  dwell: Dwell;
}) {
  const { clock, limits, cost, dwell } = options;
  /** Times at which a lane's events were accepted; what is before `done` is worked. */
  const lanes = new Map<number, { accepted: number[]; done: number }>();
  const cursors = new Float64Array(options.merchants);
  let free = options.processors;
  const queue: (() => void)[] = [];
  let [open, committed, convoys, busyMs] = [0, 0, 0, 0];

  const onProcessor = async (ms: number): Promise<void> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    busyMs += ms;
    await clock.sleep(ms);
    const next = queue.shift();
    if (next === undefined) free += 1;
    else next();
  };

  return {
    get figures() {
      return { open, committed, convoys, busyMs };
    },
    accept(merchant: number): void {
      const lane = lanes.get(merchant);
      if (lane === undefined) lanes.set(merchant, { accepted: [clock.now()], done: 0 });
      else lane.accepted.push(clock.now());
      open += 1;
    },
    async workConvoy(tenures: ReadonlyMap<string, Tenure>): Promise<ReadonlyMap<string, ConvoyEnd>> {
      const window = windowOf(tenures.size, limits).events;
      const taken = new Map<string, number>();
      let events = 0;
      for (const merchantId of tenures.keys()) {
        const lane = lanes.get(merchantOf(merchantId));
        const count = lane === undefined ? 0 : Math.min(window, lane.accepted.length - lane.done);
        taken.set(merchantId, count);
        events += count;
      }
      await onProcessor(cost.convoyMs + cost.laneMs * tenures.size + cost.eventMs * events);
      convoys += 1;
      const ends = new Map<string, ConvoyEnd>();
      for (const [merchantId, count] of taken) {
        const merchant = merchantOf(merchantId);
        const lane = lanes.get(merchant);
        if (lane === undefined || count === 0) {
          ends.set(merchantId, { kind: 'caught-up' });
          continue;
        }
        for (let n = 0; n < count; n++) dwell.add(merchant, clock.now() - (lane.accepted[lane.done + n] ?? 0));
        lane.done += count;
        const cursor = (cursors[merchant] ?? 0) + count;
        cursors[merchant] = cursor;
        const more = lane.done < lane.accepted.length;
        if (!more) lanes.delete(merchant);
        open -= count;
        committed += count;
        ends.set(merchantId, { kind: 'worked', more, weight: 1 });
      }
      return ends;
    },
  };
}
