import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { FetchChanges } from './fetch-changes.ts';
import type { PublishEvents } from './import-driver.ts';
import { productChange, productEventOf } from './product-change.ts';
import { hasRoom } from './reads.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver } from '../../events/destination.ts';
import type { Registry } from '../../events/registry.ts';

export const PULL_DESTINATION = 'core-platform';

const WAIT_MS = 1_000;

const pulled = z.object({
  /** Where the page began and where the next one does. */
  from: z.string().nullable(),
  next: z.string().nullable(),
  more: z.boolean(),
  published: z.int(),
  refused: z.int(),
  lastRefusal: z.string().nullable(),
  lastEventId: z.string().nullable(),
  waited: z.boolean(),
});
type Pulled = z.infer<typeof pulled>;

/**
 * Pulls the changes of a merchant's products from the core platform, a page as one effect. The cursor moves in the transaction
 * that records the page, so that a page is published at least once and never left out; what also came by the webhook is the
 * same event, and is dropped.
 */
export function createPullDriver(options: {
  db: Kysely<Database>;
  registry: Registry;
  publish: PublishEvents;
  fetchChanges: FetchChanges;
}): DestinationDriver {
  const { db, registry, publish, fetchChanges } = options;
  const nothing = { published: 0, refused: 0, lastRefusal: null, lastEventId: null, waited: false };
  return {
    limits: () => ({ quota: [{ calls: 600, perMs: 60_000, burst: 20 }], concurrency: 4 }),

    async send(call, signal) {
      const { merchantId, correlationId } = call;
      const row = await db
        .selectFrom('product_pulls')
        .select(['enabled', 'cursor', 'last_event_id'])
        .where('merchant_id', '=', merchantId)
        .executeTakeFirst();
      const from = row?.cursor ?? null;
      if (row?.enabled !== true) return resultOf({ ...nothing, from, next: from, more: false });
      if (!(await hasRoom(db, merchantId, row.last_event_id)))
        return resultOf({ ...nothing, from, next: from, more: true, waited: true });
      const page = await fetchChanges({ merchantId, cursor: from, correlationId }, signal);
      const events = [];
      const refusals: string[] = [];
      for (const each of page.changes) {
        const change = productChange.safeParse(each);
        const made = change.success
          ? productEventOf(registry, merchantId, change.data)
          : { fault: change.error.issues[0]?.message ?? 'invalid' };
        if ('event' in made) events.push(made.event);
        else refusals.push(`${nameOf(each)}: ${made.fault}`);
      }
      await publish(events, signal);
      return resultOf({
        from,
        next: page.next,
        more: page.more,
        published: events.length,
        refused: refusals.length,
        lastRefusal: refusals.at(-1)?.slice(0, 500) ?? null,
        lastEventId: events.at(-1)?.eventId ?? null,
        waited: false,
      });
    },

    probe: () => Promise.resolve(undefined),
    satisfies: () => false,

    async recordSuccess(trx, { merchantId, objectKey, desired }, { actual }, _observed, context) {
      const page = pulled.parse(actual);
      if (page.waited) {
        context.intend({ objectKey, desired, notBeforeMs: context.now + WAIT_MS });
        return;
      }
      await trx
        .updateTable('product_pulls')
        .set((set) => ({
          cursor: page.next,
          published: set('published', '+', page.published),
          refused: set('refused', '+', page.refused),
          failure: null,
          pulled_at: new Date(context.now),
          ...(page.lastRefusal === null ? {} : { last_refusal: page.lastRefusal }),
          ...(page.lastEventId === null ? {} : { last_event_id: page.lastEventId }),
        }))
        .where('merchant_id', '=', merchantId)
        .where((where) => where(where.ref('cursor'), 'is not distinct from', page.from))
        .execute();
      if (page.more) context.intend({ objectKey, desired });
    },

    async recordFailure(trx, { merchantId }, error, context) {
      await trx
        .updateTable('product_pulls')
        .set({ failure: error.message.slice(0, 500), updated_at: new Date(context.now) })
        .where('merchant_id', '=', merchantId)
        .execute();
    },
  };
}

const resultOf = (actual: Pulled) => ({ externalId: actual.next ?? 'start', actual });

const nameOf = (change: unknown): string =>
  z.looseObject({ changeId: z.string() }).safeParse(change).data?.changeId ?? '?';
