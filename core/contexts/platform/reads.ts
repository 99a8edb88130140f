import type { Kysely } from 'kysely';
import type { Database } from '../../database/tables.ts';

export interface MaintenanceWindow {
  windowId: string;
  startsAt: Date;
  endsAt: Date;
  reason: string;
}

const columns = ['window_id as windowId', 'starts_at as startsAt', 'ends_at as endsAt', 'reason'] as const;

/** Windows that are under way or to come, the next one first. */
export async function readMaintenance(db: Kysely<Database>, nowMs: number): Promise<MaintenanceWindow[]> {
  return await db
    .selectFrom('maintenance_windows')
    .select(columns)
    .where('cancelled_at', 'is', null)
    .where('ends_at', '>', new Date(nowMs))
    .orderBy('starts_at')
    .orderBy('window_id')
    .limit(100)
    .execute();
}

/** The window that is under way, the one that lasts longest if there are several. */
export async function readCurrentMaintenance(
  db: Kysely<Database>,
  nowMs: number,
): Promise<MaintenanceWindow | undefined> {
  const now = new Date(nowMs);
  return await db
    .selectFrom('maintenance_windows')
    .select(columns)
    .where('cancelled_at', 'is', null)
    .where('starts_at', '<=', now)
    .where('ends_at', '>', now)
    .orderBy('ends_at', 'desc')
    .executeTakeFirst();
}
