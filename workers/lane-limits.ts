import { sql } from 'kysely';
import { type TokenBucket, capacityOf, refill, take, tokensAt, wholeTokens } from '../core/runtime/token-bucket.ts';
import type { Delivery } from './deliveries.ts';
import type { LaneTransaction } from './lane-transaction.ts';

/**
 * What operators set for one merchant, applied by whoever holds its fence. The arithmetic is pure, so that a simulation can
 * call it; what it decides is written in the lane's own transaction.
 *
 *   rate    each event that the cursor passes costs a token; without one the activation waits, holding no slot
 *   drain   nothing past `drainTo` is begun; once all up to there is settled or parked, the lane is paused
 *   weight  multiplies the quantum
 */
export interface LaneLimits {
  /** Quanta per turn. */
  weight: number;
  /** Events per second; null: no limit. */
  ratePerSecond: number | null;
  rateTokens: number;
  rateAt: Date | null;
  /** The last mseq that a draining lane works. */
  drainTo: number | null;
}

export const limitColumns = sql`weight, rate_per_second as "ratePerSecond", rate_tokens as "rateTokens",
  rate_at as "rateAt", drain_to as "drainTo"`;

/** A suspended lane comes back for a fifth of a second's worth of events, not for each one. */
const RATE_BATCH_SECONDS = 0.2;

/** A lane whose commits depend on more than its cursor: it shares no transaction with other merchants. */
export const isWorkedAlone = (lane: LaneLimits & { openDeliveries: number; dueAt: Date | null }): boolean =>
  lane.openDeliveries > 0 || lane.dueAt !== null || lane.ratePerSecond !== null || lane.drainTo !== null;

export function bucketOf(lane: Pick<LaneLimits, 'ratePerSecond' | 'rateTokens' | 'rateAt'>, now: number) {
  if (lane.ratePerSecond === null) return undefined;
  const kept: TokenBucket = {
    perSecond: lane.ratePerSecond,
    tokens: lane.rateTokens,
    at: lane.rateAt?.getTime() ?? now,
  };
  return refill(kept, now);
}

export type Allowance =
  | { kind: 'events'; events: number }
  /** Not before `until`, epoch milliseconds. */
  | { kind: 'exhausted'; until: number };

/** How many events past the cursor may be begun now; 0 where a drain has come to its end. */
export function allowanceOf(lane: LaneLimits & { cursor: number }, now: number): Allowance {
  const toDrain = lane.drainTo === null ? Number.MAX_SAFE_INTEGER : Math.max(0, lane.drainTo - lane.cursor);
  const bucket = bucketOf(lane, now);
  if (bucket === undefined || toDrain === 0) return { kind: 'events', events: toDrain };
  const tokens = wholeTokens(bucket);
  if (tokens > 0) return { kind: 'events', events: Math.min(tokens, toDrain) };
  const batch = Math.floor(Math.min(bucket.perSecond * RATE_BATCH_SECONDS, toDrain, capacityOf(bucket.perSecond)));
  return { kind: 'exhausted', until: tokensAt(bucket, Math.max(1, batch)) };
}

/** True once a draining lane has nothing left to do; what is parked waits for an operator all the same. */
export const isDrained = (
  lane: Pick<LaneLimits, 'drainTo'> & { cursor: number },
  open: readonly Pick<Delivery, 'state'>[],
): boolean =>
  lane.drainTo !== null &&
  lane.cursor >= lane.drainTo &&
  open.every(({ state }) => state === 'parked' || state === 'behind');

/** True when a visit has had its turn. */
export const isTurnOver = (
  used: { windows: number; elapsedMs: number },
  quantum: { quantumWindows: number; quantumMs: number },
  weight: number,
): boolean => used.windows >= quantum.quantumWindows * weight || used.elapsedMs >= quantum.quantumMs * weight;

/** Takes a token for each event that the cursor passed. */
export async function spendTokens(
  trx: LaneTransaction,
  merchantId: string,
  lane: LaneLimits,
  events: number,
  now: number,
): Promise<void> {
  const bucket = bucketOf(lane, now);
  if (bucket === undefined || events === 0) return;
  const left = take(bucket, events);
  await sql`
    update lanes set rate_tokens = ${left.tokens}, rate_at = ${new Date(left.at)}::timestamptz
    where merchant_id = ${merchantId}
  `.execute(trx);
}

/** Ends a drain: the lane is paused, for the reason and by the person of the command. */
export async function pauseDrained(trx: LaneTransaction, merchantId: string, now: number): Promise<void> {
  await sql`
    update lanes set state = 'paused', drain_to = null, due_at = null, state_at = ${new Date(now)}::timestamptz
    where merchant_id = ${merchantId}
  `.execute(trx);
}
