import type { Kysely } from 'kysely';
import type { DataClass } from './policies.ts';
import type { Database } from '../../database/tables.ts';
import { type Requester, recordAction } from '../../operations/record-action.ts';
import { LanewayError } from '../../runtime/errors.ts';

/** Keeps a class of data whatever its policy says. Throws `operators.refused` when the id was used before. */
export async function placeHold(
  db: Kysely<Database>,
  { dataClass, holdId, requester }: { dataClass: DataClass; holdId: string; requester: Requester },
  nowMs: number,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('legal_holds')
      .values({
        hold_id: holdId,
        data_class: dataClass,
        reason: requester.reason,
        placed_by: requester.by,
        placed_at: new Date(nowMs),
        released_by: null,
        released_at: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n)
      throw new LanewayError('operators.refused', `there is, or was, a hold ${holdId}: give this one another id`);
    const after = { holdId, dataClass };
    await recordAction(trx, { action: 'retention.hold', merchantId: null, requester, after }, nowMs);
  });
}

/** Ends a hold. Resolves with the class that it kept. Throws `resource.not_found` for one that is not in force. */
export async function releaseHold(
  db: Kysely<Database>,
  { holdId, requester }: { holdId: string; requester: Requester },
  nowMs: number,
): Promise<string> {
  return await db.transaction().execute(async (trx) => {
    const released = await trx
      .updateTable('legal_holds')
      .set({ released_by: requester.by, released_at: new Date(nowMs) })
      .where('hold_id', '=', holdId)
      .where('released_at', 'is', null)
      .returning('data_class')
      .executeTakeFirst();
    if (released === undefined) throw new LanewayError('resource.not_found', `no hold ${holdId} is in force`);
    const before = { holdId, dataClass: released.data_class };
    await recordAction(trx, { action: 'retention.release', merchantId: null, requester, before }, nowMs);
    return released.data_class;
  });
}
