import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { ScheduledTurn } from '../../schedules/definition.ts';
import { readFollowedSegments } from '../ad-networks/reads.ts';

/**
 * Deletes the hashes of members who have left, or whose segment is gone, once every network has followed: until then they
 * are what a network is told to forget. Answers with the last merchant of a full page.
 */
export async function forgetMembers(
  trx: Transaction<Database>,
  { after, limit }: Pick<ScheduledTurn, 'after' | 'limit'>,
): Promise<string | undefined> {
  const { rows } = await sql<{ merchantId: string }>`
    select distinct merchant_id as "merchantId" from audience_segments
    where merchant_id > ${after} order by merchant_id limit ${limit}
  `.execute(trx);
  const merchants = rows.map(({ merchantId }) => merchantId);
  const followed = await readFollowedSegments(trx, merchants);
  await sql`
    delete from audience_members m using unnest(
      ${followed.map((f) => f.merchantId)}::text[], ${followed.map((f) => f.segmentId)}::text[],
      ${followed.map((f) => f.seq)}::bigint[], ${followed.map((f) => f.gone)}::boolean[]
    ) as f (merchant_id, segment_id, seq, gone)
    where m.merchant_id = f.merchant_id and m.segment_id = f.segment_id and m.seq <= f.seq and (f.gone or not m.wanted)
  `.execute(trx);
  return merchants.length < limit ? undefined : merchants.at(-1);
}
