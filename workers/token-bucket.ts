import type { QuotaWindow } from '../core/events/destination-limits.ts';

/**
 * The arithmetic of quotas: token buckets, one for each window of a destination, and the turns of the lanes that wait for
 * them. Pure; times are epoch milliseconds.
 *
 *   free ─► contended      somebody was refused and given a turn
 *   contended ─► free      the last turn that was given has come
 *
 * While it is contended, only a lane whose turn has come gets tokens, and no more than it needs: a lane with thousands of
 * effects then gets as much of the quota as one with two.
 */
export interface Bucket {
  window: QuotaWindow;
  tokens: number;
  /** Up to when refilling is accounted for; in the future while the destination is paused. */
  refilledAt: number;
}

export interface Ledger {
  buckets: readonly Bucket[];
  /** Until when the destination asked to be left alone. */
  pausedUntil: number;
  /** The last turn that was given to a waiting lane. */
  turnAt: number;
}

export type Grant =
  | { kind: 'granted'; tokens: number }
  /** Come back then; a lane that comes back at its turn is served before those without one. */
  | { kind: 'wait'; until: number; turnAt: number };

export interface Ask {
  now: number;
  /** Tokens without which nothing can begin. At most 3, the smallest burst; 0 only to give back. */
  need: number;
  /** Tokens of an earlier grant that were not used. */
  giveBack: number;
  /** Tokens that were used without a grant. */
  owed: number;
  /** The asking lane's turn, when it was given one. */
  turnAt: number | undefined;
}

/** How many tokens beyond its need one grant may carry. */
const BLOCK = 20;

export const burstOf = ({ calls, burst }: QuotaWindow): number => burst ?? Math.max(3, Math.floor(calls / 10));

/**
 * How long granted tokens may stay unused in a process. Calls of a window were then granted within `perMs + holdMs`, for
 * which the pace below leaves room.
 */
export const holdMs = (quota: readonly QuotaWindow[]): number =>
  Math.min(2_000, ...quota.map(({ perMs }) => Math.floor(perMs / 10)));

/** `burst` at once and then one each `msPerToken` is exactly `calls` within the window. */
export const msPerToken = (window: QuotaWindow, heldMs: number): number =>
  (window.perMs + heldMs) / (window.calls - burstOf(window) + 1);

export const fullLedger = (quota: readonly QuotaWindow[], now: number): Ledger => ({
  buckets: quota.map((window) => ({ window, tokens: burstOf(window), refilledAt: now })),
  pausedUntil: 0,
  turnAt: 0,
});

/** Answers one ask and says what the ledger holds afterwards. */
export function grantTokens(
  ledger: Ledger,
  { now, need, giveBack, owed, turnAt }: Ask,
): { grant: Grant; ledger: Ledger } {
  const held = holdMs(ledger.buckets.map(({ window }) => window));
  const pace = Math.max(...ledger.buckets.map(({ window }) => msPerToken(window, held)));
  const buckets = ledger.buckets.map((bucket) => refill(bucket, now, held, giveBack - owed));
  const available = Math.floor(Math.min(...buckets.map(({ tokens }) => tokens)) + ROUNDING);
  // Who only gives back takes no turn.
  if (need === 0) return { grant: { kind: 'granted', tokens: 0 }, ledger: { ...ledger, buckets } };
  const contended = ledger.turnAt > now;
  const itsTurn = turnAt !== undefined && turnAt <= now;
  if (available >= need && ledger.pausedUntil <= now && (!contended || itsTurn)) {
    const spare = contended ? 0 : Math.min(BLOCK, Math.floor((available - need) / 4));
    return {
      grant: { kind: 'granted', tokens: need + spare },
      ledger: { ...ledger, buckets: take(buckets, need + spare) },
    };
  }
  if (turnAt !== undefined && turnAt > now)
    return { grant: { kind: 'wait', until: turnAt, turnAt }, ledger: { ...ledger, buckets } };
  const enoughAt = Math.max(
    ledger.pausedUntil,
    ...buckets.map(
      ({ window, tokens, refilledAt }) => refilledAt + Math.max(0, need - tokens) * msPerToken(window, held),
    ),
  );
  const next = Math.ceil(Math.max(ledger.turnAt + need * pace, enoughAt, now + 1));
  return { grant: { kind: 'wait', until: next, turnAt: next }, ledger: { ...ledger, buckets, turnAt: next } };
}

/** The destination asked to be left alone: nothing before `until`, and no burst then. */
export const pauseLedger = (ledger: Ledger, until: number): Ledger => ({
  ...ledger,
  pausedUntil: Math.max(ledger.pausedUntil, until),
  buckets: ledger.buckets.map((bucket) => ({
    ...bucket,
    tokens: Math.min(bucket.tokens, FIRST_AFTER_PAUSE),
    refilledAt: Math.max(bucket.refilledAt, until),
  })),
});

/** Enough for any one effect. */
const FIRST_AFTER_PAUSE = 3;
/** Sums of fractions may miss a whole number by this much. */
const ROUNDING = 1e-6;

function refill(bucket: Bucket, now: number, held: number, returned: number): Bucket {
  const { window, tokens, refilledAt } = bucket;
  const added = Math.max(0, now - refilledAt) / msPerToken(window, held);
  return {
    window,
    tokens: Math.min(burstOf(window), tokens + added + returned),
    refilledAt: Math.max(refilledAt, now),
  };
}

const take = (buckets: readonly Bucket[], count: number): Bucket[] =>
  buckets.map((bucket) => ({ ...bucket, tokens: bucket.tokens - count }));
