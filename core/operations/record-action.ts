import type { Transaction } from 'kysely';
import type { Database } from '../database/tables.ts';

/** Who commands something, and why. */
export interface Requester {
  by: string;
  reason: string;
}

/** Adds a row to the append-only record of what operators did, in the transaction that does it. */
export async function recordAction(
  trx: Transaction<Database>,
  action: {
    action: string;
    merchantId: string | null;
    requester: Requester;
    before?: Record<string, unknown>;
    after?: Record<string, unknown>;
  },
  nowMs: number,
): Promise<void> {
  const { before, after } = action;
  await trx
    .insertInto('operator_actions')
    .values({
      action: action.action,
      merchant_id: action.merchantId,
      requested_by: action.requester.by,
      reason: action.requester.reason,
      requested_at: new Date(nowMs),
      before: before === undefined ? null : JSON.stringify(before),
      after: after === undefined ? null : JSON.stringify(after),
    })
    .execute();
}
