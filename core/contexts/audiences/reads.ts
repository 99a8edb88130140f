import { type Kysely, type Transaction, sql } from 'kysely';
import type { HashedIdentifiers } from './hash-identifiers.ts';
import type { Database } from '../../database/tables.ts';
import type { AdNetworkId } from '../campaigns/events.ts';

export interface Segment {
  segmentId: string;
  name: string;
  adNetworkIds: string[];
  state: 'active' | 'deleted';
  lastSeq: number;
  createdAt: Date;
}

const columns = [
  'segment_id as segmentId',
  'name',
  'ad_network_ids as adNetworkIds',
  'state',
  'last_seq as lastSeq',
  'created_at as createdAt',
] as const;

export async function getSegment(
  trx: Transaction<Database>,
  merchantId: string,
  segmentId: string,
): Promise<Segment | undefined> {
  return await trx
    .selectFrom('audience_segments')
    .select(columns)
    .where('merchant_id', '=', merchantId)
    .where('segment_id', '=', segmentId)
    .executeTakeFirst();
}

export async function listSegments(
  trx: Transaction<Database>,
  merchantId: string,
  { after = '', limit }: { after?: string; limit: number },
): Promise<{ items: Segment[]; next: string | undefined }> {
  const rows = await trx
    .selectFrom('audience_segments')
    .select(columns)
    .where('merchant_id', '=', merchantId)
    .where('segment_id', '>', after)
    .where('state', '=', 'active')
    .orderBy('segment_id')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? items.at(-1)?.segmentId : undefined };
}

export interface MemberChange {
  seq: number;
  wanted: boolean;
  identifiers: HashedIdentifiers;
}

/**
 * What has changed in a segment after `afterSeq`, oldest first: each member once, as it is now, in the hashes that the
 * network wants.
 */
export async function readMemberChanges(
  db: Kysely<Database>,
  { merchantId, segmentId, network }: { merchantId: string; segmentId: string; network: AdNetworkId },
  afterSeq: number,
  limit: number,
): Promise<MemberChange[]> {
  const { rows } = await sql<MemberChange>`
    select seq, wanted, identifiers -> ${network}::text as identifiers from audience_members
    where merchant_id = ${merchantId} and segment_id = ${segmentId} and seq > ${afterSeq}
    order by seq limit ${limit}
  `.execute(db);
  return rows;
}
