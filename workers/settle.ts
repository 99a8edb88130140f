import { sql } from 'kysely';
import { type OutboxRow, appendOutbox } from '../core/database/outbox.ts';
import { type IntentRow, declareIntents } from '../core/database/intents.ts';
import { type Delivery, closeRedrives, finishDeliveries, writeDeliveries } from './deliveries.ts';
import { type LaneMove, type Tenure, moveLane } from './fence.ts';
import type { LaneTransaction } from './lane-transaction.ts';

export interface Settlement {
  mseq: number;
  day: string;
  handler: string;
  eventId: string;
  outcome: 'done' | 'skip' | 'dead';
  reason: string | null;
  attempts: number;
  /** Settled after later events of its merchant: redriven, or set aside. */
  outOfOrder: boolean;
}

/** All that a window's transaction decided, gathered while handlers run and written at its end. */
export interface Ledger {
  settlements: Settlement[];
  /** Pairs to write or overwrite. */
  deliveries: Delivery[];
  /** Pairs that had a row and need it no more. */
  finished: Pick<Delivery, 'mseq' | 'handler' | 'holdKey' | 'state'>[];
  outbox: OutboxRow[];
  intents: IntentRow[];
}

export const emptyLedger = (): Ledger => ({ settlements: [], deliveries: [], finished: [], outbox: [], intents: [] });

/**
 * Writes a ledger and moves the lane. The order of the locks is the same everywhere: state rows (the handlers'), then
 * settlements and deliveries, intents, the lane, and last the merchant's outbox head, which the gateway takes too.
 */
export async function settle(
  trx: LaneTransaction,
  merchantId: string,
  tenure: Tenure,
  ledger: Ledger,
  move: LaneMove,
  nowMs: number,
): Promise<void> {
  // The journal follows the lane's order, however calls were grouped.
  const settlements = ledger.settlements.toSorted((a, b) => a.mseq - b.mseq);
  await writeSettlements(trx, merchantId, tenure, settlements, nowMs);
  await writeDeliveries(trx, merchantId, ledger.deliveries, nowMs);
  await finishDeliveries(trx, merchantId, ledger.finished);
  for (const pair of ledger.finished) {
    if (pair.state !== 'redrive') continue;
    const outcome = ledger.settlements.find((s) => s.mseq === pair.mseq && s.handler === pair.handler)?.outcome;
    await closeRedrives(trx, merchantId, pair, outcome ?? 'dropped');
  }
  await declareIntents(trx, ledger.intents, nowMs);
  await moveLane(trx, merchantId, tenure, move);
  await appendOutbox(trx, ledger.outbox, nowMs);
}

async function writeSettlements(
  trx: LaneTransaction,
  merchantId: string,
  { owner, worker }: Tenure,
  rows: readonly Settlement[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const column = <T>(pick: (row: Settlement) => T): T[] => rows.map(pick);
  // Only a redrive may settle a pair again, and only one that ended dead: any other conflict is a second effect and fails.
  const { numAffectedRows } = await sql`
    insert into settlements as s (merchant_id, day, mseq, handler, event_id, outcome, reason, attempts, out_of_order,
      settled_at, worker, owner)
    select ${merchantId}, day, mseq, handler, event_id, outcome, reason, attempts, out_of_order,
      ${new Date(nowMs)}::timestamptz, ${worker}, ${owner}
    from unnest(${column((r) => r.day)}::date[], ${column((r) => r.mseq)}::bigint[], ${column((r) => r.handler)}::text[],
      ${column((r) => r.eventId)}::text[], ${column((r) => r.outcome)}::text[], ${column((r) => r.reason)}::text[],
      ${column((r) => r.attempts)}::int[], ${column((r) => r.outOfOrder)}::boolean[]) with ordinality
      as t (day, mseq, handler, event_id, outcome, reason, attempts, out_of_order, ord)
    order by ord
    on conflict (merchant_id, day, mseq, handler) do update set outcome = excluded.outcome, reason = excluded.reason,
      attempts = s.attempts + excluded.attempts, out_of_order = true, settled_seq = nextval('settled_seq'),
      settled_at = excluded.settled_at, worker = excluded.worker, owner = excluded.owner
      where s.outcome = 'dead'
  `.execute(trx);
  if (numAffectedRows !== undefined && Number(numAffectedRows) !== rows.length)
    throw new Error(`${rows.length - Number(numAffectedRows)} of ${rows.length} settlements already existed`);
}
