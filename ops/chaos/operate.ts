import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

/**
 * What an operator does at the end of a run: mends the cause of every poison, then asks again for every pair that blocks
 * its lane and for every second one of those that are parked or dead, and opens the lanes.
 * @returns how many pairs were asked for again
 */
export async function operate(db: Kysely<Database>): Promise<number> {
  return await db.transaction().execute(async (trx) => {
    await sql`insert into chaos_repairs default values`.execute(trx);
    const asked = await sql`
      with ended as (
        select merchant_id, mseq, handler, day, holds = 'merchant' as must from deliveries where state = 'parked'
        union all
        select merchant_id, mseq, handler, day, false from settlements where outcome = 'dead'
      ), chosen as (
        select *, row_number() over (order by must, merchant_id, mseq, handler) as n from ended
      )
      insert into redrives (id, merchant_id, mseq, day, handler, requested_by, reason, requested_at)
      select 'chaos-' || n, merchant_id, mseq, day, handler, 'chaos', 'the cause is mended', now()
      from chosen where must or n % 2 = 0
    `.execute(trx);
    await sql`
      update lanes l set state = 'active', state_reason = null, wake = wake + 1, due_at = now()
      where exists (select from redrives r where r.merchant_id = l.merchant_id)
    `.execute(trx);
    return Number(asked.numAffectedRows ?? 0);
  });
}
