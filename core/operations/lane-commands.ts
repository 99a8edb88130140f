import { type Kysely, sql } from 'kysely';
import type { Database } from '../database/tables.ts';
import { newId } from '../runtime/ids.ts';
import { fullBucket } from '../runtime/token-bucket.ts';
import { type LaneChange, changeLane } from './change-lane.ts';
import type { Requester } from './record-action.ts';

/**
 * What operators tell a lane.
 *
 *   active   ─pause──► paused               after the window in hand
 *   active   ─drain──► draining ──► paused  after what was accepted when the command came
 *   paused, draining ─resume──► active
 *   blocked  ─unblock──► active             the parked head is tried again, skipped or dead-lettered
 *
 * Commands that let a lane go on raise `wake` and make it due, in the same commit: an actor that is about to suspend it
 * reads `wake` again and goes on, and should Redis not hear of it, the sweeper does. Whoever calls them wakes the lane in
 * Redis afterwards.
 */
export interface LaneCommand {
  merchantId: string;
  requester: Requester;
}

export type Verdict = 'retry' | 'skip' | 'dead';

const going = (nowMs: number) => ({ wake: sql<number>`wake + 1`, due_at: new Date(nowMs) });
const isBlocked = { kind: 'refused', why: 'the lane is blocked: `unblock` says what becomes of its head' } as const;

export function pauseLane(db: Kysely<Database>, { merchantId, requester }: LaneCommand, nowMs: number) {
  return changeLane(db, { merchantId, action: 'pause', requester }, nowMs, ({ state, drainTo }) => {
    if (state === 'blocked') return isBlocked;
    if (state === 'paused') return { kind: 'unchanged' };
    const draining = drainTo === null ? {} : { drain_to: null };
    return { kind: 'change', set: { state: 'paused', ...draining, ...standing(requester, nowMs) } };
  });
}

export function drainLane(db: Kysely<Database>, { merchantId, requester }: LaneCommand, nowMs: number) {
  return changeLane(db, { merchantId, action: 'drain', requester }, nowMs, ({ state, drainTo, lastMseq }) => {
    if (state === 'blocked') return isBlocked;
    if (state === 'paused')
      return { kind: 'refused', why: 'the lane is paused, so that nothing of it would be drained: `resume` it first' };
    if (drainTo !== null) return { kind: 'unchanged' };
    return { kind: 'change', set: { ...standing(requester, nowMs), ...going(nowMs), drain_to: lastMseq } };
  });
}

export function resumeLane(db: Kysely<Database>, { merchantId, requester }: LaneCommand, nowMs: number) {
  return changeLane(db, { merchantId, action: 'resume', requester }, nowMs, ({ state, drainTo }) => {
    if (state === 'blocked') return isBlocked;
    if (state === 'active' && drainTo === null) return { kind: 'unchanged' };
    return { kind: 'change', set: { state: 'active', drain_to: null, ...nobody(nowMs), ...going(nowMs) } };
  });
}

/** Every pair that was parked at the head gets the verdict; the lane's actor carries it out under the fence. */
export function unblockLane(
  db: Kysely<Database>,
  { merchantId, requester, verdict }: LaneCommand & { verdict: Verdict },
  nowMs: number,
) {
  const action = { retry: 'unblock', skip: 'unblock-skip', dead: 'unblock-dead-letter' }[verdict];
  return changeLane(db, { merchantId, action, requester }, nowMs, async ({ state, cursor }, trx) => {
    if (state === 'paused') return { kind: 'refused', why: 'the lane is paused, not blocked: `resume` lets it go on' };
    if (state === 'active') return { kind: 'unchanged' };
    await sql`
      insert into redrives (id, merchant_id, mseq, day, handler, requested_by, reason, requested_at, verdict)
      select ${newId()} || '-' || row_number() over (order by mseq, handler), merchant_id, mseq, day, handler,
        ${requester.by}, ${requester.reason}, ${new Date(nowMs)}::timestamptz, ${verdict}
      from deliveries where merchant_id = ${merchantId} and mseq > ${cursor} and state = 'parked'
    `.execute(trx);
    return { kind: 'change', set: { state: 'active', ...nobody(nowMs), ...going(nowMs) } };
  });
}

/** @param weight quanta per turn, 1 to 20 */
export function weighLane(
  db: Kysely<Database>,
  { merchantId, requester, weight }: LaneCommand & { weight: number },
  nowMs: number,
): Promise<LaneChange> {
  return changeLane(db, { merchantId, action: 'weight', requester }, nowMs, (lane) =>
    lane.weight === weight ? { kind: 'unchanged' } : { kind: 'change', set: { weight } },
  );
}

/** @param ratePerSecond events per second; null lifts the limit */
export function limitLane(
  db: Kysely<Database>,
  { merchantId, requester, ratePerSecond }: LaneCommand & { ratePerSecond: number | null },
  nowMs: number,
): Promise<LaneChange> {
  return changeLane(db, { merchantId, action: 'rate', requester }, nowMs, (lane) => {
    if (lane.ratePerSecond === ratePerSecond) return { kind: 'unchanged' };
    if (ratePerSecond === null)
      return { kind: 'change', set: { rate_per_second: null, rate_at: null, ...going(nowMs) } };
    const { tokens } = fullBucket(ratePerSecond, nowMs);
    const set = { rate_per_second: ratePerSecond, rate_tokens: tokens, rate_at: new Date(nowMs), ...going(nowMs) };
    return { kind: 'change', set };
  });
}

const standing = ({ by, reason }: Requester, nowMs: number) => ({
  state_reason: reason,
  state_by: by,
  state_at: new Date(nowMs),
});
const nobody = (nowMs: number) => ({ state_reason: null, state_by: null, state_at: new Date(nowMs) });
