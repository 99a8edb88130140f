import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import { campaignTag, taggedName } from './campaign-name.ts';
import type { NetworkEffect } from './effect.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectCall } from '../../events/destination.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { readMemberChanges } from '../audiences/reads.ts';

const desiredAudience = z.looseObject({
  segmentId: z.string(),
  name: z.string(),
  state: z.enum(['active', 'deleted']),
  upTo: z.number(),
});
const NOTHING = 'none';

/**
 * Lets a network follow a segment, one call at a time:
 *
 *   (none) ──create──► made ──a batch of changes──► made … ──nothing left──► live
 *      └──────────────────────────delete──────────────────────────────────► deleted
 *
 * Each batch is every member that has changed since, as it is now. After a call without an answer the audience is looked up
 * by its name, and the batch sent again: networks keep sets, so that a member added twice is there once.
 */
export function createAudienceEffect(options: { accounts: AdAccounts; db: Kysely<Database> }): NetworkEffect {
  const { accounts, db } = options;
  return {
    async send(network, call, signal) {
      const desired = desiredAudience.parse(call.desired);
      const account = await accounts.of(network, call.merchantId, signal);
      const { audiences } = network;
      const of = { merchantId: call.merchantId, segmentId: desired.segmentId, network: network.id };
      if (desired.state === 'deleted') {
        const tag = campaignTag(call.merchantId, desired.segmentId);
        const there = call.externalId ?? (await audiences.find(account, tag, signal));
        if (there !== undefined && there !== NOTHING) await audiences.remove(account, there, signal);
        return { externalId: there ?? NOTHING, actual: { deleted: true } };
      }
      const after = await readSyncedSeq(db, of);
      const changes = await readMemberChanges(db, of, after, audiences.batch);
      const known = (wanted: boolean) =>
        changes
          .filter((change) => change.wanted === wanted && Object.keys(change.identifiers).length > 0)
          .map(({ identifiers }) => identifiers);
      const [add, remove] = [known(true), known(false)];
      if (call.externalId === undefined) {
        if (add.length < audiences.leastToCreate)
          throw new LanewayError(
            'effect.rejected',
            `${network.id} makes no audience of fewer than ${audiences.leastToCreate} members, and this has ${add.length}`,
          );
        const name = taggedName(desired.name, campaignTag(call.merchantId, desired.segmentId));
        return { externalId: await audiences.create(account, name, add, signal), actual: { syncedSeq: after } };
      }
      if (add.length + remove.length > 0) await audiences.change(account, call.externalId, { add, remove }, signal);
      return {
        externalId: call.externalId,
        actual: { syncedSeq: changes.at(-1)?.seq ?? Math.max(after, desired.upTo) },
      };
    },

    async probe(network, call, signal) {
      if (call.externalId !== undefined) return undefined;
      const { segmentId } = desiredAudience.parse(call.desired);
      const account = await accounts.of(network, call.merchantId, signal);
      const externalId = await network.audiences.find(account, campaignTag(call.merchantId, segmentId), signal);
      return externalId === undefined ? undefined : { externalId, actual: {} };
    },
    satisfies: () => false,

    async recordSuccess(trx, network, call, result, _observed, context) {
      const desired = desiredAudience.parse(call.desired);
      const syncedSeq = Number(result.actual['syncedSeq'] ?? 0);
      const deleted = desired.state === 'deleted';
      const caughtUp = deleted || syncedSeq >= desired.upTo;
      const status = deleted ? 'deleted' : caughtUp ? 'live' : 'pending';
      await sql`
        update audience_network_states set status = ${status}, external_id = ${deleted ? null : result.externalId},
          synced_seq = greatest(synced_seq, ${syncedSeq}), error_code = null, error_message = null,
          updated_at = ${new Date(context.now)}::timestamptz
        where ${ofState(call, network.id, desired.segmentId)}
      `.execute(trx);
      if (!caughtUp) context.intend({ objectKey: call.objectKey, desired: call.desired });
    },

    async recordFailure(trx, network, call, error, context) {
      const { segmentId } = desiredAudience.parse(call.desired);
      await sql`
        update audience_network_states set status = 'failed', error_code = ${error.code},
          error_message = ${error.message.slice(0, 500)}, updated_at = ${new Date(context.now)}::timestamptz
        where ${ofState(call, network.id, segmentId)}
      `.execute(trx);
    },
  };
}

const ofState = ({ merchantId }: Pick<EffectCall, 'merchantId'>, network: string, segmentId: string) =>
  sql`merchant_id = ${merchantId} and segment_id = ${segmentId} and ad_network_id = ${network}`;

async function readSyncedSeq(
  db: Kysely<Database> | Transaction<Database>,
  { merchantId, segmentId, network }: { merchantId: string; segmentId: string; network: string },
): Promise<number> {
  const row = await db
    .selectFrom('audience_network_states')
    .select('synced_seq')
    .where('merchant_id', '=', merchantId)
    .where('segment_id', '=', segmentId)
    .where('ad_network_id', '=', network)
    .executeTakeFirst();
  return row?.synced_seq ?? 0;
}
