import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectResult } from '../../../events/destination.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { LanewayError } from '../../../runtime/errors.ts';
import { type BuiltFeed, buildFeed } from './build-feed.ts';
import type { ReadSales } from './sales.ts';

/**
 * Building a feed takes longer than a lane may, so it is an effect: one at a time for each merchant, a few on each process,
 * with the retries and the deadline of every other one. Its destination is this database.
 */
export const BUILD_DESTINATION = 'product-feed-build';

const desiredBuild = z.looseObject({ mode: z.enum(['full', 'delta']) });

export function createFeedBuildDriver(options: {
  db: Kysely<Database>;
  readSales: ReadSales;
  clock: Clock;
}): DestinationDriver {
  const { db, readSales, clock } = options;
  return {
    limits: () => ({ quota: [{ calls: 600, perMs: 60_000 }], concurrency: 1 }),

    async send(call, signal) {
      const { mode } = desiredBuild.parse(call.desired);
      const request = { ...feedKeyOf(call), mode, buildKey: call.idempotencyKey };
      const now = clock.now();
      const sales = await readSales(db, call.merchantId, now);
      const built = await buildFeed(db, request, { sales, now, signal });
      if (built === undefined) throw new LanewayError('effect.rejected', `there is no feed ${call.objectKey}`);
      return resultOf(call, { ...built, offersVersion: sales.version });
    },

    async probe(call) {
      const { merchantId, feedId } = feedKeyOf(call);
      const run = await db
        .selectFrom('feed_runs')
        .select(['run', 'mode', 'items', 'removals', 'invalid', 'parts'])
        .where('merchant_id', '=', merchantId)
        .where('feed_id', '=', feedId)
        .where('build_key', '=', call.idempotencyKey)
        .where('ready_at', 'is not', null)
        .orderBy('run', 'desc')
        .executeTakeFirst();
      return run === undefined ? undefined : resultOf(call, run);
    },

    satisfies: () => true,

    recordSuccess: async (trx, call, { actual }, _, context) => {
      const built = builtFeed.parse(actual);
      const key = feedKeyOf(call);
      const feed = await closeRun(trx, key, built, context.now);
      if (feed === undefined || built.parts === 0) return;
      context.emit({
        eventType: 'ProductCatalogFeedReadyForSubmissionEvent',
        payload: {
          feedId: key.feedId,
          merchantId: key.merchantId,
          adNetworkId: feed.network,
          feedRun: built.run,
          feedMode: built.mode,
          itemCount: built.items,
          removalCount: built.removals,
          invalidCount: built.invalid,
          partCount: built.parts,
          timestamp: new Date(context.now).toISOString(),
        },
      });
    },

    // The changes stay where they are, and the next run, due by its interval, takes them over.
    recordFailure: async () => undefined,
  };
}

const feedKeyOf = ({ merchantId, objectKey }: EffectCall) => ({ merchantId, feedId: objectKey });

const builtFeed = z.object({
  run: z.int(),
  mode: z.enum(['full', 'delta']),
  items: z.int(),
  removals: z.int(),
  invalid: z.int(),
  parts: z.int(),
  /** Unknown when the run was found instead of built: then the next one looks at every sale again. */
  offersVersion: z.int().optional(),
});

const resultOf = (call: EffectCall, built: BuiltFeed): EffectResult => ({
  externalId: `${call.objectKey}/${built.run}`,
  actual: built,
});

/** Gives up the changes that the run carries. Undefined when the feed is gone, or a newer run was recorded before. */
async function closeRun(
  trx: Transaction<Database>,
  { merchantId, feedId }: { merchantId: string; feedId: string },
  { run, mode, offersVersion }: z.infer<typeof builtFeed>,
  nowMs: number,
): Promise<{ network: string } | undefined> {
  const ofFeed = sql`merchant_id = ${merchantId} and feed_id = ${feedId}`;
  const now = new Date(nowMs);
  const feed = await trx
    .updateTable('catalog_feeds')
    .set({
      updated_at: now,
      ...(mode === 'full' ? { last_full_at: now } : {}),
      ...(offersVersion === undefined ? {} : { offers_version: offersVersion }),
    })
    .where('merchant_id', '=', merchantId)
    .where('feed_id', '=', feedId)
    .returning('network')
    .executeTakeFirst();
  const { rows } = await sql<{ run: number }>`
    update feed_runs set state = 'ready' where ${ofFeed} and run = ${run} and state = 'building'
    returning run
  `.execute(trx);
  await sql`
    with carried as (
      select product_id from feed_changes where ${ofFeed} and taken_by = ${run} order by product_id for update
    )
    delete from feed_changes where ${ofFeed} and product_id in (select product_id from carried)
  `.execute(trx);
  return rows.length === 0 ? undefined : feed;
}
