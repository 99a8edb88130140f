import type { Kysely } from 'kysely';
import type { MaintenanceWindow } from './reads.ts';
import type { Database } from '../../database/tables.ts';
import { type Requester, recordAction } from '../../operations/record-action.ts';
import { LanewayError } from '../../runtime/errors.ts';

const LONGEST_MS = 24 * 3_600_000;

const show = ({ windowId, startsAt, endsAt, reason }: MaintenanceWindow) => ({
  windowId,
  startsAt: startsAt.toISOString(),
  endsAt: endsAt.toISOString(),
  reason,
});

/**
 * Plans a window; merchants are told of it within minutes. Throws `operators.refused` for one that has passed, that lasts
 * longer than a day, in which queues would outgrow what they keep, or whose id is taken.
 */
export async function planMaintenance(
  db: Kysely<Database>,
  { requester, ...window }: Omit<MaintenanceWindow, 'reason'> & { requester: Requester },
  nowMs: number,
): Promise<MaintenanceWindow> {
  const { windowId, startsAt, endsAt } = window;
  const lastsMs = endsAt.getTime() - startsAt.getTime();
  if (lastsMs <= 0 || lastsMs > LONGEST_MS)
    throw new LanewayError('operators.refused', 'a window ends after it starts, and at most 24 hours later');
  if (endsAt.getTime() <= nowMs) throw new LanewayError('operators.refused', 'the window has passed already');
  const planned = { ...window, reason: requester.reason };
  await db.transaction().execute(async (trx) => {
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('maintenance_windows')
      .values({
        window_id: windowId,
        starts_at: startsAt,
        ends_at: endsAt,
        reason: requester.reason,
        planned_by: requester.by,
        planned_at: new Date(nowMs),
        announced_at: null,
        cancelled_by: null,
        cancelled_at: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n)
      throw new LanewayError('operators.refused', `there is, or was, a window ${windowId}: give this one another id`);
    await recordAction(trx, { action: 'maintenance.plan', merchantId: null, requester, after: show(planned) }, nowMs);
  });
  return planned;
}

/**
 * Calls a window off, or ends it when it is under way: intake goes on within seconds. Throws `resource.not_found` for one
 * that is over.
 */
export async function endMaintenance(
  db: Kysely<Database>,
  { windowId, requester }: { windowId: string; requester: Requester },
  nowMs: number,
): Promise<MaintenanceWindow> {
  return await db.transaction().execute(async (trx) => {
    const now = new Date(nowMs);
    const ended = await trx
      .updateTable('maintenance_windows')
      .set({ cancelled_by: requester.by, cancelled_at: now })
      .where('window_id', '=', windowId)
      .where('cancelled_at', 'is', null)
      .where('ends_at', '>', now)
      .returning(['window_id as windowId', 'starts_at as startsAt', 'ends_at as endsAt', 'reason'])
      .executeTakeFirst();
    if (ended === undefined) throw new LanewayError('resource.not_found', `no window ${windowId} is planned or open`);
    await recordAction(trx, { action: 'maintenance.end', merchantId: null, requester, before: show(ended) }, nowMs);
    return ended;
  });
}
