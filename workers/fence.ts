import { sql } from 'kysely';
import { LanewayError } from '../core/runtime/errors.ts';
import type { LaneTransaction } from './lane-transaction.ts';

export interface LaneState {
  cursor: number;
  cursorDay: string;
  state: 'active' | 'paused' | 'blocked';
  openDeliveries: number;
  wake: number;
  weight: number;
  dueAt: Date | null;
}

/** Where this owner left the lane. Undefined before its first commit. */
export interface Tenure {
  owner: string;
  worker: string;
  expectedCursor: number | undefined;
}

/**
 * Locks the lane's row until the transaction ends and checks that the lane is where this owner left it. An owner's first
 * transaction takes over from whoever was there; it becomes the owner when it commits (`moveLane`). From then on, finding
 * another owner or another cursor means that this one was thought dead: `fence.lost`.
 *
 * Nothing else may be read in this statement: it waits for the previous owner, and only the *next* statement sees all that
 * the previous owner committed.
 */
export async function takeFence(trx: LaneTransaction, merchantId: string, tenure: Tenure): Promise<LaneState> {
  let row = await lockLane(trx, merchantId);
  if (row === undefined) {
    await sql`insert into lanes (merchant_id) values (${merchantId}) on conflict do nothing`.execute(trx);
    row = await lockLane(trx, merchantId);
  }
  if (row === undefined) throw new Error(`lane of ${merchantId} vanished while it was being locked`);
  const { expectedCursor, owner } = tenure;
  if (expectedCursor !== undefined && (row.owner !== owner || row.cursor !== expectedCursor)) {
    throw new LanewayError('fence.lost', 'another owner has this lane', {
      detail: { merchantId, owner, foundOwner: row.owner, foundWorker: row.worker, expectedCursor, cursor: row.cursor },
    });
  }
  return row;
}

async function lockLane(
  trx: LaneTransaction,
  merchantId: string,
): Promise<(LaneState & { owner: string | null; worker: string | null }) | undefined> {
  const { rows } = await sql<LaneState & { owner: string | null; worker: string | null }>`
    select owner, worker, cursor, cursor_day as "cursorDay", state, open_deliveries as "openDeliveries", wake, weight,
      due_at as "dueAt"
    from lanes where merchant_id = ${merchantId} for no key update
  `.execute(trx);
  return rows[0];
}

export interface LaneMove {
  cursor: number;
  cursorDay: string;
  /** When deliveries changed or are open: count them and find the next due one. */
  recount: boolean;
  block?: string;
}

/** Writes owner and cursor: the commit that carries this is the one that counts. */
export async function moveLane(
  trx: LaneTransaction,
  merchantId: string,
  tenure: Tenure,
  move: LaneMove,
): Promise<void> {
  const open = move.recount ? sql`(select count(*) from deliveries where merchant_id = ${merchantId})` : sql`0`;
  const due = move.recount
    ? sql`(select min(coalesce(not_before, now())) from deliveries
        where merchant_id = ${merchantId} and state in ('waiting', 'redrive'))`
    : sql`null`;
  const blocked = move.block === undefined ? sql`` : sql`, state = 'blocked', state_reason = ${move.block}`;
  await sql`
    update lanes set owner = ${tenure.owner}, worker = ${tenure.worker}, cursor = ${move.cursor},
      cursor_day = ${move.cursorDay}::date, open_deliveries = ${open}, due_at = ${due}, updated_at = now() ${blocked}
    where merchant_id = ${merchantId}
  `.execute(trx);
}
