import { type Kysely, sql } from 'kysely';
import { DAY_MS } from '../../runtime/clock.ts';
import type { Database } from '../../database/tables.ts';

const KEPT_MS = DAY_MS;

/** Deletes keys whose answers are no longer replayed, at most `limit` of them. Resolves with how many. */
export async function purgeIdempotencyKeys(db: Kysely<Database>, nowMs: number, limit = 5_000): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where (merchant_id, idempotency_key) in (
      select merchant_id, idempotency_key from idempotency_keys
      where created_at < ${new Date(nowMs - KEPT_MS)} order by created_at limit ${limit}
    )
  `.execute(db);
  return Number(numAffectedRows ?? 0);
}
