import { sql } from 'kysely';
import { LanewayError } from '../core/runtime/errors.ts';
import { type LaneLimits, limitColumns } from './lane-limits.ts';
import type { LaneTransaction } from './lane-transaction.ts';

export interface LaneState extends LaneLimits {
  cursor: number;
  cursorDay: string;
  state: 'active' | 'paused' | 'blocked';
  openDeliveries: number;
  wake: number;
  dueAt: Date | null;
}

export interface Tenure {
  owner: string;
  worker: string;
  /** Where this owner left the lane, as far as it knows. Undefined before its first commit. */
  expectedCursor: number | undefined;
}

interface LaneRow extends LaneState {
  merchantId: string;
  owner: string | null;
  worker: string | null;
}

/**
 * Locks the lane's row until the transaction ends and checks that the lane is where this owner left it. An owner's first
 * transaction takes over from whoever was there; it becomes the owner when it commits (`moveLane`). From then on, finding
 * another owner means that this one was thought dead, and finding the lane behind where it was left that Postgres was
 * restored: `fence.lost`. Further on under the same owner is a commit of its own whose answer it did not wait for.
 *
 * Nothing else may be read in this statement: it waits for the previous owner, and only the *next* statement sees all that
 * the previous owner committed.
 */
export async function takeFence(trx: LaneTransaction, merchantId: string, tenure: Tenure): Promise<LaneState> {
  const [row] = await lockLanes(trx, [merchantId], 'wait');
  if (row === undefined) throw new Error(`lane of ${merchantId} vanished while it was being locked`);
  const refusal = refusalOf(row, tenure);
  if (refusal !== undefined) throw refusal;
  return row;
}

/**
 * The same for many lanes. A lane that somebody else has locked is left out: whoever waits for one lane while holding others
 * makes those wait too. A lane that another owner has is answered with the refusal.
 */
export async function takeFences(
  trx: LaneTransaction,
  tenures: ReadonlyMap<string, Tenure>,
): Promise<ReadonlyMap<string, LaneState | LanewayError>> {
  const rows = await lockLanes(trx, [...tenures.keys()], 'skip');
  return new Map(
    rows.flatMap((row) => {
      const tenure = tenures.get(row.merchantId);
      return tenure === undefined ? [] : [[row.merchantId, refusalOf(row, tenure) ?? row] as const];
    }),
  );
}

function refusalOf(row: LaneRow, { owner, expectedCursor }: Tenure): LanewayError | undefined {
  if (expectedCursor === undefined || (row.owner === owner && row.cursor >= expectedCursor)) return undefined;
  const { merchantId, owner: foundOwner, worker: foundWorker, cursor } = row;
  return new LanewayError('fence.lost', 'another owner has this lane', {
    detail: { merchantId, owner, foundOwner, foundWorker, expectedCursor, cursor },
  });
}

/** Locks in byte order, the order of every transaction that locks several; makes the rows of merchants that have none. */
async function lockLanes(
  trx: LaneTransaction,
  merchantIds: readonly string[],
  locked: 'wait' | 'skip',
): Promise<readonly LaneRow[]> {
  const lock = async (ids: readonly string[]) => {
    const { rows } = await sql<LaneRow>`
      select merchant_id as "merchantId", owner, worker, cursor, cursor_day as "cursorDay", state,
        open_deliveries as "openDeliveries", wake, due_at as "dueAt", ${limitColumns}
      from lanes where merchant_id = any(${ids}::text[]) order by merchant_id
      for no key update ${locked === 'skip' ? sql`skip locked` : sql``}
    `.execute(trx);
    return rows;
  };
  const found = await lock(merchantIds);
  if (found.length === merchantIds.length) return found;
  const known = new Set(found.map((row) => row.merchantId));
  const missing = merchantIds.filter((merchantId) => !known.has(merchantId));
  const { rows: made } = await sql<{ merchantId: string }>`
    insert into lanes (merchant_id)
    select merchant_id from unnest(${missing}::text[]) as t (merchant_id) order by merchant_id collate "C"
    on conflict do nothing returning merchant_id as "merchantId"
  `.execute(trx);
  const again = locked === 'wait' ? missing : made.map((row) => row.merchantId);
  return again.length === 0 ? found : [...found, ...(await lock(again))];
}

export interface LaneMove {
  cursor: number;
  cursorDay: string;
  /** When deliveries changed or are open: count them and find the next due one. */
  recount: boolean;
  block?: string;
}

/** Writes owner and cursor of a lane whose deliveries changed: the commit that carries this is the one that counts. */
export async function moveLane(
  trx: LaneTransaction,
  merchantId: string,
  tenure: Tenure,
  move: LaneMove,
): Promise<void> {
  const blocked =
    move.block === undefined
      ? sql``
      : sql`, state = 'blocked', state_reason = ${move.block}, state_by = ${tenure.worker}, state_at = now(), drain_to = null`;
  await sql`
    update lanes set owner = ${tenure.owner}, worker = ${tenure.worker}, cursor = ${move.cursor},
      cursor_day = ${move.cursorDay}::date, updated_at = now(),
      open_deliveries = (select count(*) from deliveries where merchant_id = ${merchantId}),
      due_at = (select min(coalesce(not_before, now())) from deliveries
        where merchant_id = ${merchantId} and state in ('waiting', 'redrive')) ${blocked}
    where merchant_id = ${merchantId}
  `.execute(trx);
}
