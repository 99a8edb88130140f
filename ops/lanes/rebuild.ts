import { type Kysely, sql } from 'kysely';
import type { Redis } from 'ioredis';
import type { Database } from '../../core/database/tables.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { withDeadline } from '../../core/runtime/deadline.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { laneQueueName } from '../../core/runtime/queue-names.ts';
import { createLanes } from '../../workers/lanes.ts';

const DEADLINE_MS = 30_000;
/** A lane has at most its cap of pointers, and a trim takes twice that. */
const TRIMS = 10;

/**
 * Removes a lane's pointers from Redis and puts back those of the events past its cursor, up to the cap. Pointers decide
 * nothing, so the lane may be worked meanwhile. Resolves with how many pointers the lane then has; rejects when Redis is
 * away.
 */
export async function rebuildLane(
  { db, redis, prefix, cap }: { db: Kysely<Database>; redis: Redis; prefix: string; cap: number },
  merchantId: string,
): Promise<number> {
  const lanes = createLanes({ redis, prefix, cap, clock: systemClock, log: silentLog });
  const waiting = `${prefix}:${laneQueueName(merchantId)}:wait`;
  return await withDeadline('rebuilding a lane in Redis', DEADLINE_MS, async () => {
    for (let trims = 0; trims < TRIMS && (await redis.exists(waiting)) === 1; trims++)
      await lanes.trim([{ merchantId, cursor: Number.MAX_SAFE_INTEGER }]);
    const { rows: pointers } = await sql<{ mseq: number; type: string; correlationId: string }>`
      select i.mseq, i.event_type as type, i.correlation_id as "correlationId"
      from inbox i
      where i.merchant_id = ${merchantId}
        and i.day >= coalesce((select cursor_day from lanes where merchant_id = ${merchantId}), '2000-01-01')
        and i.mseq > coalesce((select cursor from lanes where merchant_id = ${merchantId}), 0)
      order by i.day, i.mseq limit ${cap}
    `.execute(db);
    await lanes.addPointers([{ merchantId, pointers, backlog: pointers.length }]);
    return await redis.llen(waiting);
  });
}
