import { type Kysely, sql } from 'kysely';
import {
  type EffectKey,
  type EffectTenure,
  type OpenIntent,
  fenceLost,
  intentColumns,
  lockEffectLane,
  ofLane,
} from './effect-lane.ts';
import type { Database } from '../core/database/tables.ts';

/** Why a lane with something due is left all the same. */
export interface LaneWait {
  /** `away`: the destination does not answer. `quota`: it answers, but not so often. */
  reason: 'away' | 'quota';
  until: number;
  /** The lane's turn in the quota. */
  turnAt: number | undefined;
}

/** Intents that are marked at a time as waiting for a destination that is away; the others follow with the next wait. */
const MARKED_AT_ONCE = 1_000;

/**
 * Leaves the lane until its destination can be called again: due then, the fence given back, no attempt counted. Answers
 * with an intent that has waited for longer than `awayMs` for a destination that is away, if there is one: then the lane
 * is not left, and the caller gives that intent up. Throws `fence.lost`.
 */
export async function leaveEffectLane(
  db: Kysely<Database>,
  key: EffectKey,
  tenure: EffectTenure,
  wait: LaneWait,
  now: number,
  awayMs: number,
): Promise<OpenIntent | undefined> {
  return await db.transaction().execute(async (trx) => {
    const found = await lockEffectLane(trx, key);
    if (found !== tenure.owner) throw fenceLost(key, tenure.owner, found);
    const at = sql`${new Date(now)}::timestamptz`;
    const due = sql`${ofLane(key)} and state in ('pending', 'sending', 'unknown')
      and (not_before is null or not_before <= ${at})`;
    if (wait.reason === 'away') {
      await sql`
        update intents set first_unavailable_at = ${at} where ${ofLane(key)} and object_key in (
          select object_key from intents where ${due} and first_unavailable_at is null limit ${MARKED_AT_ONCE})
      `.execute(trx);
      const { rows } = await sql<OpenIntent>`
        select ${intentColumns} from intents where ${due} and first_unavailable_at <= ${new Date(now - awayMs)}::timestamptz
        limit 1
      `.execute(trx);
      if (rows[0] !== undefined) return rows[0];
    }
    await sql`
      update effect_lanes set owner = null, updated_at = ${at}, due_at = ${new Date(wait.until)}::timestamptz,
        turn_at = ${wait.turnAt === undefined ? null : new Date(wait.turnAt)}::timestamptz
      where ${ofLane(key)}
    `.execute(trx);
    return undefined;
  });
}

/** Makes a lane due later that nobody could look at: its destination has all the slots that this process gives it. */
export async function deferEffectLane(db: Kysely<Database>, key: EffectKey, until: number): Promise<void> {
  const later = sql`${new Date(until)}::timestamptz`;
  await sql`update effect_lanes set due_at = ${later} where ${ofLane(key)} and due_at < ${later}`.execute(db);
}

/** Makes a lane that is due so later, for a worker that knows its destination; one that waits, or is worked, is left alone. */
export async function passEffectLaneBy(
  db: Kysely<Database>,
  key: EffectKey,
  now: number,
  until: number,
): Promise<void> {
  const [at, later] = [now, until].map((ms) => sql`${new Date(ms)}::timestamptz`);
  await sql`update effect_lanes set due_at = ${later} where ${ofLane(key)} and due_at <= ${at}`.execute(db);
}
