import { type Transaction, sql } from 'kysely';
import { type HashedMember, type Identifiers, hashIdentifiers } from './hash-identifiers.ts';
import type { Database } from '../../database/tables.ts';
import { type BuiltEvent, buildEvent } from '../../events/build.ts';
import type { Registry } from '../../events/registry.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import { requireRoom } from '../platform/reads.ts';

export interface AudienceOrigin {
  registry: Registry;
  merchantId: string;
  correlationId: string;
  traceparent: string;
  nowMs: number;
}

export interface AddedMember extends Identifiers {
  /** Both must be given for a member to reach a network; to add a member again without takes it away there. */
  consent: { adUserData: boolean; adPersonalization: boolean };
}

/** Throws `platform.quota_reached`. */
export async function createSegment(
  trx: Transaction<Database>,
  { merchantId, nowMs }: AudienceOrigin,
  { name, adNetworkIds }: { name: string; adNetworkIds: readonly AdNetworkId[] },
): Promise<string> {
  await requireRoom(trx, merchantId, 'audience_segments', () => countSegments(trx, merchantId), nowMs);
  const segmentId = `seg-${newId()}`;
  const now = new Date(nowMs);
  await trx
    .insertInto('audience_segments')
    .values({
      merchant_id: merchantId,
      segment_id: segmentId,
      name,
      ad_network_ids: [...new Set(adNetworkIds)],
      state: 'active',
      created_at: now,
      updated_at: now,
    })
    .execute();
  return segmentId;
}

async function countSegments(trx: Transaction<Database>, merchantId: string): Promise<number> {
  const { count } = await trx
    .selectFrom('audience_segments')
    .select((each) => each.fn.countAll<number>().as('count'))
    .where('merchant_id', '=', merchantId)
    .where('state', '=', 'active')
    .executeTakeFirstOrThrow();
  return count;
}

/**
 * Adds and removes members: hashed here, so that no identifier in clear is ever stored or sent in an event. Of a member that
 * is named twice the last mention counts. Throws `audiences.identifier_invalid` naming the first that cannot be read, and
 * `audiences.not_found`.
 */
export async function changeMembers(
  trx: Transaction<Database>,
  origin: AudienceOrigin,
  { segmentId, add, remove }: { segmentId: string; add: readonly AddedMember[]; remove: readonly Identifiers[] },
): Promise<BuiltEvent[]> {
  const changes = new Map<string, { member: HashedMember; wanted: boolean }>();
  const hashed = (given: Identifiers, where: string): HashedMember => {
    const member = hashIdentifiers(given);
    if (member !== undefined) return member;
    throw new LanewayError('audiences.identifier_invalid', `${where} has no e-mail address or phone number (+49…)`);
  };
  for (const [index, { consent, ...given }] of add.entries()) {
    const member = hashed(given, `add.${index}`);
    changes.set(member.key, { member, wanted: consent.adUserData && consent.adPersonalization });
  }
  for (const [index, given] of remove.entries()) {
    const member = hashed(given, `remove.${index}`);
    changes.set(member.key, { member, wanted: false });
  }
  const segment = await bumpSegment(trx, origin, segmentId, changes.size, 'active');
  const rows = [...changes.values()];
  await sql`
    insert into audience_members (merchant_id, segment_id, member_key, identifiers, wanted, seq, updated_at)
    select ${origin.merchantId}, ${segmentId}, member_key, identifiers, wanted,
      ${segment.lastSeq - changes.size}::bigint + ord, ${new Date(origin.nowMs)}::timestamptz
    from unnest(${rows.map((r) => r.member.key)}::text[], ${rows.map((r) => JSON.stringify(r.member.byNetwork))}::jsonb[],
      ${rows.map((r) => r.wanted)}::boolean[]) with ordinality as t (member_key, identifiers, wanted, ord)
    order by member_key collate "C"
    on conflict (merchant_id, segment_id, member_key) do update set
      identifiers = excluded.identifiers, wanted = excluded.wanted, seq = excluded.seq, updated_at = excluded.updated_at
  `.execute(trx);
  return [updateEvent(origin, segmentId, segment.adNetworkIds, 'sync')];
}

/** Deletes a segment here and on its networks; its members' hashes go once every network has followed. */
export async function deleteSegment(
  trx: Transaction<Database>,
  origin: AudienceOrigin,
  segmentId: string,
): Promise<BuiltEvent[]> {
  const segment = await bumpSegment(trx, origin, segmentId, 0, 'deleted');
  return [updateEvent(origin, segmentId, segment.adNetworkIds, 'delete')];
}

/**
 * Takes a person out of every segment of the merchant, and so off every network. Answers with how many there were. The rows
 * lose their hashes once the networks have followed.
 */
export async function removePerson(
  trx: Transaction<Database>,
  origin: AudienceOrigin,
  person: Identifiers,
): Promise<{ segments: number; events: BuiltEvent[] }> {
  const member = hashIdentifiers(person);
  if (member === undefined)
    throw new LanewayError('audiences.identifier_invalid', 'the person has no e-mail address or phone number');
  const found = await trx
    .selectFrom('audience_members')
    .select('segment_id as segmentId')
    .where('merchant_id', '=', origin.merchantId)
    .where('member_key', '=', member.key)
    .orderBy('segment_id')
    .execute();
  const events: BuiltEvent[] = [];
  for (const { segmentId } of found)
    events.push(...(await changeMembers(trx, origin, { segmentId, add: [], remove: [person] })));
  return { segments: found.length, events };
}

/** Locks the segment, so that two changes at once are numbered one after the other. */
async function bumpSegment(
  trx: Transaction<Database>,
  { merchantId, nowMs }: AudienceOrigin,
  segmentId: string,
  changes: number,
  state: 'active' | 'deleted',
): Promise<{ lastSeq: number; adNetworkIds: string[] }> {
  const row = await trx
    .updateTable('audience_segments')
    .set((columns) => ({
      last_seq: columns('last_seq', '+', changes),
      state,
      updated_at: new Date(nowMs),
    }))
    .where('merchant_id', '=', merchantId)
    .where('segment_id', '=', segmentId)
    .where('state', '=', 'active')
    .returning(['last_seq as lastSeq', 'ad_network_ids as adNetworkIds'])
    .executeTakeFirst();
  if (row === undefined) throw new LanewayError('audiences.not_found', `there is no audience ${segmentId}`);
  return row;
}

function updateEvent(
  { registry, merchantId, correlationId, traceparent, nowMs }: AudienceOrigin,
  segmentId: string,
  adNetworkIds: readonly string[],
  operation: 'sync' | 'delete',
): BuiltEvent {
  const timestamp = new Date(nowMs).toISOString();
  return buildEvent(registry, {
    eventId: newId(),
    eventType: 'AudienceSegmentUpdateRequestedEvent',
    merchantId,
    correlationId,
    traceparent,
    timestamp,
    payload: { segmentId, merchantId, adNetworkIds, operation, timestamp },
  });
}
