import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { importedProduct, productChange, productEventOf } from './product-change.ts';
import { type LineError, hasRoom } from './reads.ts';
import { keepLineErrors } from './writes.ts';
import type { Database } from '../../database/tables.ts';
import type { BuiltEvent } from '../../events/build.ts';
import type { DestinationDriver, EffectCall } from '../../events/destination.ts';
import type { Registry } from '../../events/registry.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';

export const IMPORT_DESTINATION = 'product-import';

/** Publishes events in their order, or throws an `effect.*` error when it does not know that of all of them. */
export type PublishEvents = (events: readonly BuiltEvent[], signal: AbortSignal) => Promise<void>;

/** How long a part waits for room in its call, which is sooner than somebody would come back to it, and how often it looks. */
const ROOM_MS = 5_000;
const LOOK_EVERY_MS = 100;
/** How soon a part that found no room is looked at again. */
const WAIT_MS = 500;
/** An event that was not accepted in this time lies in a DLQ, and is no reason to wait any longer. */
const MAX_WAIT_MS = 600_000;

const desiredPart = z.looseObject({ part: z.int().min(0) });
const workedPart = z.object({
  part: z.int(),
  published: z.int(),
  refused: z.int(),
  lastEventId: z.string().nullable(),
  waited: z.boolean(),
});
type WorkedPart = z.infer<typeof workedPart>;

/**
 * Works an import part by part, each as one effect: that is how it is resumed after a crash, and how other merchants' imports
 * come in between. A part is published only while the merchant's lane has room for it, so that however much comes at once,
 * little of it waits in the queue that all share. A part that is published again gives the same events, which are dropped.
 */
export function createImportDriver(options: {
  db: Kysely<Database>;
  registry: Registry;
  publish: PublishEvents;
  clock: Clock;
  roomMs?: number;
}): DestinationDriver {
  const { db, registry, publish, clock, roomMs = ROOM_MS } = options;
  /** False when there was none in time. */
  const awaitRoom = async (merchantId: string, lastEventId: string | null, signal: AbortSignal): Promise<boolean> => {
    for (const until = clock.now() + roomMs; !(await hasRoom(db, merchantId, lastEventId));) {
      if (clock.now() >= until) return false;
      await clock.sleep(LOOK_EVERY_MS, signal);
      signal.throwIfAborted();
    }
    return true;
  };
  return {
    limits: () => ({ quota: [{ calls: 1_200, perMs: 60_000, burst: 20 }], concurrency: 4 }),

    async send(call, signal) {
      const { part } = desiredPart.parse(call.desired);
      const key = keyOf(call);
      const found = await db
        .selectFrom('product_imports')
        .leftJoin('product_import_parts as p', (join) =>
          join
            .onRef('p.merchant_id', '=', 'product_imports.merchant_id')
            .onRef('p.import_id', '=', 'product_imports.import_id')
            .on('p.part', '=', part),
        )
        .select(['p.body', 'p.first_line', 'last_event_id', 'created_at', 'updated_at'])
        .where('product_imports.merchant_id', '=', key.merchantId)
        .where('product_imports.import_id', '=', key.importId)
        .executeTakeFirst();
      if (found === undefined || found.body === null)
        throw new LanewayError('effect.rejected', `part ${part} of the import is not there any more`);
      const overdue = clock.now() - found.updated_at.getTime() >= MAX_WAIT_MS;
      if (!overdue && !(await awaitRoom(key.merchantId, found.last_event_id, signal)))
        return resultOf({ part, published: 0, refused: 0, lastEventId: null, waited: true });
      const lines = { text: found.body.toString('utf8'), first: found.first_line ?? 1, createdAt: found.created_at };
      const { events, errors } = readLines(registry, key, lines);
      await publish(events, signal);
      await keepLineErrors(db, key, errors);
      const [published, refused] = [events.length, errors.length];
      return resultOf({ part, published, refused, lastEventId: events.at(-1)?.eventId ?? null, waited: false });
    },

    // Publishing again is the same as finding out.
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,

    async recordSuccess(trx, call, { actual }, _observed, context) {
      const { part, published, refused, lastEventId, waited } = workedPart.parse(actual);
      const { merchantId, importId } = keyOf(call);
      if (waited) {
        context.intend({ objectKey: importId, desired: { part }, notBeforeMs: context.now + WAIT_MS });
        return;
      }
      const now = sql`${new Date(context.now)}::timestamptz`;
      const { rows } = await sql<{ more: boolean }>`
        update product_imports set next_part = ${part} + 1, published = published + ${published},
          refused = refused + ${refused}, last_event_id = coalesce(${lastEventId}, last_event_id), updated_at = ${now},
          state = case when ${part} + 1 < parts then 'running' else 'done' end,
          finished_at = case when ${part} + 1 < parts then null else ${now} end
        where merchant_id = ${merchantId} and import_id = ${importId} and next_part = ${part}
        returning next_part < parts as more
      `.execute(trx);
      await trx
        .deleteFrom('product_import_parts')
        .where('merchant_id', '=', merchantId)
        .where('import_id', '=', importId)
        .where('part', '=', part)
        .execute();
      if (rows[0]?.more === true) context.intend({ objectKey: importId, desired: { part: part + 1 } });
    },

    async recordFailure(trx, call, error, context) {
      const { merchantId, importId } = keyOf(call);
      const now = new Date(context.now);
      await trx
        .updateTable('product_imports')
        .set({ state: 'failed', failure: error.message.slice(0, 500), updated_at: now, finished_at: now })
        .where('merchant_id', '=', merchantId)
        .where('import_id', '=', importId)
        .where('state', '=', 'running')
        .execute();
    },
  };
}

const keyOf = ({ merchantId, objectKey }: EffectCall) => ({ merchantId, importId: objectKey });
const resultOf = (actual: WorkedPart) => ({ externalId: `part-${actual.part}`, actual });

interface Lines {
  text: string;
  /** Of the whole import. */
  first: number;
  createdAt: Date;
}

/** Events of the lines that can be read, and what is wrong with the others. Blank lines count and say nothing. */
export function readLines(
  registry: Registry,
  { merchantId, importId }: { merchantId: string; importId: string },
  { text, first, createdAt }: Lines,
): { events: BuiltEvent[]; errors: LineError[] } {
  const events: BuiltEvent[] = [];
  const errors: LineError[] = [];
  for (const [index, source] of text.split('\n').entries()) {
    if (source.trim() === '') continue;
    const line = first + index;
    const refuse = (path: string, message: string) => void errors.push({ line, path, message });
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch {
      refuse('', 'is not JSON');
      continue;
    }
    const said = importedProduct.safeParse(value);
    const change = productChange.safeParse({
      operationType: 'update',
      timestamp: createdAt.toISOString(),
      ...said.data,
      changeId: `${importId}/${line}`,
    });
    const fault = said.error?.issues[0] ?? change.error?.issues[0];
    if (fault !== undefined || !change.success) {
      refuse(fault?.path.join('.') ?? '', fault?.message ?? 'invalid');
      continue;
    }
    const made = productEventOf(registry, merchantId, change.data);
    if ('event' in made) events.push(made.event);
    else refuse('', made.fault);
  }
  return { events, errors };
}
