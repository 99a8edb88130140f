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
  /** The envelope's timestamp, for what is measured from there. */
  emittedAt?: string;
  /** The trace that the event is part of. */
  traceparent?: string;
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

/** What a transaction decided about one lane. */
export interface LaneSettlement {
  merchantId: string;
  tenure: Tenure;
  ledger: Ledger;
  move: LaneMove;
}

/**
 * Writes the ledgers and moves the lanes of one transaction. The order of the locks is the same everywhere: the lanes (by
 * the fence), state rows (the handlers'), then settlements and deliveries, intents, and last the merchants' outbox heads,
 * which the gateway takes too.
 */
export async function settle(trx: LaneTransaction, lanes: readonly LaneSettlement[], nowMs: number): Promise<void> {
  await writeSettlements(trx, lanes, nowMs);
  for (const { merchantId, ledger } of lanes) {
    await writeDeliveries(trx, merchantId, ledger.deliveries, nowMs);
    await finishDeliveries(trx, merchantId, ledger.finished);
    await closeRedrives(trx, merchantId, endsOf(ledger));
  }
  await declareIntents(
    trx,
    lanes.flatMap(({ ledger }) => ledger.intents),
    nowMs,
  );
  for (const { merchantId, tenure, move } of lanes)
    if (needsCounting(move)) await moveLane(trx, merchantId, tenure, move);
  await appendOutbox(
    trx,
    lanes.flatMap(({ ledger }) => ledger.outbox),
    nowMs,
  );
}

/** Pairs with which a redrive command, if there was one, is over. */
const endsOf = ({ finished, deliveries, settlements }: Ledger) => [
  ...finished.map(({ mseq, handler }) => ({
    mseq,
    handler,
    result: settlements.find((s) => s.mseq === mseq && s.handler === handler)?.outcome ?? 'dropped',
  })),
  ...deliveries
    .filter(({ state }) => state === 'parked')
    .map(({ mseq, handler }) => ({ mseq, handler, result: 'parked' })),
];

const needsCounting = (move: LaneMove): boolean => move.recount || move.block !== undefined;

interface SettlementRow extends Settlement {
  merchantId: string;
  tenure: Tenure;
  /** Of its lane in the transaction, from 1, as Postgres counts. */
  lane: number;
}

/**
 * The settlements of all lanes, and the moves of those without open deliveries, in one statement. What is the same for all
 * rows of a lane is sent once: taking arrays apart costs the server half of what storing the rows costs.
 */
async function writeSettlements(trx: LaneTransaction, lanes: readonly LaneSettlement[], nowMs: number): Promise<void> {
  const rows = lanes.flatMap(({ merchantId, tenure, ledger }, index) =>
    // The journal follows the lane's order, however calls were grouped.
    ledger.settlements
      .toSorted((a, b) => a.mseq - b.mseq)
      .map((settlement): SettlementRow => ({ ...settlement, merchantId, tenure, lane: index + 1 })),
  );
  const moves = lanes.filter(({ move }) => !needsCounting(move));
  if (rows.length === 0 && moves.length === 0) return;
  const again = rows.some(({ outOfOrder, attempts }) => outOfOrder || attempts !== 1);
  const { numAffectedRows } = await sql`
    with moved as (${movesOf(moves)})
    ${again ? insertAgain(rows, nowMs) : insertFirst(lanes, rows, nowMs)}
  `.execute(trx);
  if (numAffectedRows !== undefined && Number(numAffectedRows) !== rows.length)
    throw new Error(`${rows.length - Number(numAffectedRows)} of ${rows.length} settlements already existed`);
}

function movesOf(moves: readonly LaneSettlement[]) {
  const column = <T>(pick: (lane: LaneSettlement) => T): T[] => moves.map(pick);
  return sql`
    update lanes set owner = m.owner, worker = m.worker, cursor = m.cursor, cursor_day = m.cursor_day,
      open_deliveries = 0, due_at = null, updated_at = now()
    from unnest(${column((l) => l.merchantId)}::text[], ${column((l) => l.tenure.owner)}::text[],
      ${column((l) => l.tenure.worker)}::text[], ${column((l) => l.move.cursor)}::bigint[],
      ${column((l) => l.move.cursorDay)}::date[]) as m (merchant_id, owner, worker, cursor, cursor_day)
    where lanes.merchant_id = m.merchant_id`;
}

/** Pairs settled at their first attempt. One that is settled already is a second effect: the key refuses it. */
function insertFirst(lanes: readonly LaneSettlement[], rows: readonly SettlementRow[], nowMs: number) {
  const column = <T>(pick: (row: SettlementRow) => T): T[] => rows.map(pick);
  return sql`
    insert into settlements (merchant_id, day, mseq, handler, event_id, outcome, reason, settled_at, worker, owner)
    select (${lanes.map((l) => l.merchantId)}::text[])[lane], day, mseq, handler, event_id, outcome, reason,
      ${new Date(nowMs)}::timestamptz, (${lanes.map((l) => l.tenure.worker)}::text[])[lane],
      (${lanes.map((l) => l.tenure.owner)}::text[])[lane]
    from unnest(${column((r) => r.lane)}::int[], ${column((r) => r.day)}::date[], ${column((r) => r.mseq)}::bigint[],
      ${column((r) => r.handler)}::text[], ${column((r) => r.eventId)}::text[], ${column((r) => r.outcome)}::text[],
      ${column((r) => r.reason)}::text[])
      with ordinality as t (lane, day, mseq, handler, event_id, outcome, reason, ord)
    order by ord`;
}

/** Only a redrive may settle a pair again, and only one that ended dead: any other conflict is a second effect. */
function insertAgain(rows: readonly SettlementRow[], nowMs: number) {
  const column = <T>(pick: (row: SettlementRow) => T): T[] => rows.map(pick);
  return sql`
    insert into settlements as s (merchant_id, day, mseq, handler, event_id, outcome, reason, attempts, out_of_order,
      settled_at, worker, owner)
    select merchant_id, day, mseq, handler, event_id, outcome, reason, attempts, out_of_order,
      ${new Date(nowMs)}::timestamptz, worker, owner
    from unnest(${column((r) => r.merchantId)}::text[], ${column((r) => r.day)}::date[],
      ${column((r) => r.mseq)}::bigint[], ${column((r) => r.handler)}::text[], ${column((r) => r.eventId)}::text[],
      ${column((r) => r.outcome)}::text[], ${column((r) => r.reason)}::text[], ${column((r) => r.attempts)}::int[],
      ${column((r) => r.outOfOrder)}::boolean[], ${column((r) => r.tenure.worker)}::text[],
      ${column((r) => r.tenure.owner)}::text[])
      with ordinality as t (merchant_id, day, mseq, handler, event_id, outcome, reason, attempts, out_of_order, worker,
        owner, ord)
    order by ord
    on conflict (merchant_id, day, mseq, handler) do update set outcome = excluded.outcome, reason = excluded.reason,
      attempts = s.attempts + excluded.attempts, out_of_order = true, settled_seq = nextval('settled_seq'),
      settled_at = excluded.settled_at, worker = excluded.worker, owner = excluded.owner
      where s.outcome = 'dead'`;
}
