import { type Kysely, type Transaction, type UpdateObject, sql } from 'kysely';
import type { Database } from '../database/tables.ts';
import { LanewayError } from '../runtime/errors.ts';
import { type Requester, recordAction } from './record-action.ts';

/** What operators see and set of a lane. */
export interface LaneSettings {
  state: 'active' | 'paused' | 'blocked';
  reason: string | null;
  by: string | null;
  since: string | null;
  /** Set while it drains: the last mseq that is still worked. */
  drainTo: number | null;
  /** Quanta per turn. */
  weight: number;
  /** Events per second; null: no limit. */
  ratePerSecond: number | null;
}

export interface LaneChange {
  merchantId: string;
  action: string;
  /** False when the lane already was as commanded. */
  changed: boolean;
  before: LaneSettings;
  after: LaneSettings;
}

/** The lane as a command finds it, its row locked. */
export interface LockedLane extends LaneSettings {
  cursor: number;
  lastMseq: number;
}

export type Decision =
  | { kind: 'unchanged' }
  | { kind: 'change'; set: UpdateObject<Database, 'lanes'> }
  /** The command does not fit the lane's state; `why` says what does. */
  | { kind: 'refused'; why: string };

/**
 * Changes one lane under its row's lock, which an actor holds during a window: so a command takes effect between two
 * windows, and no window overwrites it. The change and its record are one commit. A command that finds the lane as it
 * wants it changes and records nothing.
 *
 * Rejects with `resource.not_found` for a merchant that never sent anything and with `operators.refused`.
 */
export async function changeLane(
  db: Kysely<Database>,
  command: { merchantId: string; action: string; requester: Requester },
  nowMs: number,
  decide: (lane: LockedLane, trx: Transaction<Database>) => Decision | Promise<Decision>,
): Promise<LaneChange> {
  const { merchantId, action, requester } = command;
  return await db.transaction().execute(async (trx) => {
    const before = await lockLane(trx, merchantId);
    const decision = await decide(before, trx);
    switch (decision.kind) {
      case 'refused':
        throw new LanewayError('operators.refused', decision.why);
      case 'unchanged':
        return { merchantId, action, changed: false, before: settingsOf(before), after: settingsOf(before) };
      case 'change': {
        await trx.updateTable('lanes').set(decision.set).where('merchant_id', '=', merchantId).execute();
        const after = await lockLane(trx, merchantId);
        const change = { before: settingsOf(before), after: settingsOf(after) };
        await recordAction(
          trx,
          { action, merchantId, requester, before: { ...change.before }, after: { ...change.after } },
          nowMs,
        );
        return { merchantId, action, changed: true, ...change };
      }
      default:
        return decision satisfies never;
    }
  });
}

async function lockLane(trx: Transaction<Database>, merchantId: string): Promise<LockedLane> {
  await sql`
    insert into lanes (merchant_id) select merchant_id from mailbox where merchant_id = ${merchantId} on conflict do nothing
  `.execute(trx);
  const { rows } = await sql<Omit<LockedLane, 'since'> & { since: Date | null }>`
    select l.state, l.state_reason as reason, l.state_by as by, l.state_at as since, l.drain_to as "drainTo", l.weight,
      l.rate_per_second as "ratePerSecond", l.cursor, m.next_mseq - 1 as "lastMseq"
    from lanes l join mailbox m using (merchant_id)
    where l.merchant_id = ${merchantId} for no key update of l
  `.execute(trx);
  const [row] = rows;
  if (row === undefined)
    throw new LanewayError(
      'resource.not_found',
      `no event of the merchant ${JSON.stringify(merchantId)} was accepted yet`,
    );
  return { ...row, since: row.since?.toISOString() ?? null };
}

const settingsOf = ({ state, reason, by, since, drainTo, weight, ratePerSecond }: LaneSettings): LaneSettings => ({
  state,
  reason,
  by,
  since,
  drainTo,
  weight,
  ratePerSecond,
});
