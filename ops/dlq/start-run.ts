import type { Kysely } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { type Requester, recordAction } from '../../core/operations/record-action.ts';
import { newId } from '../../core/runtime/ids.ts';
import type { DeadItem, ItemFilter } from './items.ts';

/**
 * A redrive that was begun: its items are rows, so that whoever finds it interrupted carries on with what is left.
 *
 *   pending ─► requested (the command is recorded, or the message sent back) │ nothing (it ended well meanwhile) │ failed
 */
export async function startRun(
  db: Kysely<Database>,
  run: { items: readonly DeadItem[]; filter: ItemFilter; perSecond: number; requester: Requester },
  nowMs: number,
): Promise<string> {
  const id = newId();
  const now = new Date(nowMs);
  const { items, filter, perSecond, requester } = run;
  await db.transaction().execute(async (trx) => {
    await trx
      .insertInto('redrive_runs')
      .values({
        id,
        requested_by: requester.by,
        reason: requester.reason,
        requested_at: now,
        per_second: perSecond,
        selection: JSON.stringify(filter),
      })
      .execute();
    await trx
      .insertInto('redrive_items')
      .values(items.map((item, index) => ({ ...rowOf(item), run_id: id, ordinal: index + 1, updated_at: now })))
      .execute();
    const after = { run: id, items: items.length, perSecond, ...filter };
    await recordAction(trx, { action: 'dlq-redrive', merchantId: filter.merchantId ?? null, requester, after }, nowMs);
  });
  return id;
}

function rowOf(item: DeadItem) {
  const { kind, queue, handler } = item;
  const shared = { kind, queue, handler, merchant_id: item.merchantId, event_id: item.eventId };
  switch (item.kind) {
    case 'handler':
      return { ...shared, mseq: item.mseq, day: item.day };
    case 'effect':
      return { ...shared, mseq: item.mseq, day: item.day, object_key: item.objectKey };
    case 'message':
      return { ...shared, message_id: item.messageId };
    default:
      return item satisfies never;
  }
}

export interface RunItem {
  ordinal: number;
  kind: DeadItem['kind'];
  queue: string;
  merchantId: string | null;
  eventId: string | null;
  handler: string;
  mseq: number | null;
  day: string | null;
  objectKey: string | null;
  messageId: string | null;
  state: 'pending' | 'requested' | 'nothing' | 'failed';
  result: string | null;
}

/** The items of a run, in order; empty when there is no such run. */
export async function readItems(db: Kysely<Database>, runId: string): Promise<readonly RunItem[]> {
  return await db
    .selectFrom('redrive_items')
    .select(['ordinal', 'kind', 'queue', 'handler', 'mseq', 'day', 'state', 'result'])
    .select(['merchant_id as merchantId', 'event_id as eventId', 'object_key as objectKey', 'message_id as messageId'])
    .where('run_id', '=', runId)
    .orderBy('ordinal')
    .execute();
}
