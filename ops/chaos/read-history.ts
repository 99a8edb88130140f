import { existsSync, readFileSync } from 'node:fs';
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../core/database/tables.ts';
import type { EventDefinition } from '../../core/events/definition.ts';
import { type Registry, currentVersion } from '../../core/events/registry.ts';
import { readableAs, upcast } from '../../core/events/versions.ts';
import type { LoadEvent } from '../load/load-event.ts';
import { type ExpectedHandler, type History, type OpenPair, type Sent, keyOf } from './history.ts';
import { troubleOf } from './trouble.ts';

/** What the checker needs of the registry: names and promises, nothing that runs. */
export function expectedHandlers(registry: Registry): ReadonlyMap<string, ExpectedHandler> {
  return new Map(
    [...registry.values()].flatMap(({ handlers }) =>
      handlers.map(({ name, holds, onPoison }) => [name, { holds, onPoison }] as const),
    ),
  );
}

/** Distinct events in producer order: of each, the send that was acknowledged first. */
export function expectedEvents(loads: readonly LoadEvent[], registry: Registry): readonly Sent[] {
  const sent = new Map<string, Sent>();
  for (const { merchantId, event, name } of loads) {
    const key = keyOf(merchantId, event.eventId);
    const definition = registry.get(event.eventType);
    if (definition === undefined || sent.has(key)) continue;
    const handlers = definition.handlers.map((handler) => handler.name);
    sent.set(key, {
      merchantId,
      eventId: event.eventId,
      sequence: definition.route === 'fifo' ? keyOf(merchantId, name) : undefined,
      aggregate: aggregateOf(definition, event),
      handlers,
      troubled: handlers.some((handler) => troubleOf(event.payload, handler) !== undefined),
    });
  }
  return [...sent.values()];
}

/**
 * What was sent under an older version names its aggregate only once it is brought to the current one. What the system emitted
 * about a person is not readable here: order is not promised for it either.
 */
function aggregateOf(definition: EventDefinition, { eventVersion, payload }: LoadEvent['event']): string {
  const version = eventVersion ?? currentVersion(definition).version;
  const read = readableAs(definition, version)?.schema.safeParse(payload);
  if (read?.success !== true) return '';
  return definition.aggregate?.(upcast(definition, version, read.data)) ?? '';
}

type Recorded = Pick<History, 'accepted' | 'effects' | 'ends' | 'commits' | 'open' | 'redriven'>;

const ms = (column: 'at' | 'accepted_at') => sql<number>`(extract(epoch from ${sql.ref(column)}) * 1000)::float8`;

/** @param db as a reader, once everything rests */
export async function readRecorded(db: Kysely<Database>): Promise<Recorded> {
  const all = async <T>(query: ReturnType<typeof sql<T>>): Promise<readonly T[]> => (await query.execute(db)).rows;
  const redriven = await all(
    sql<{ merchantId: string; eventId: string; handler: string }>`
      select r.merchant_id as "merchantId", a.event_id as "eventId", r.handler
      from redrives r join accepted a on a.merchant_id = r.merchant_id and a.mseq = r.mseq`,
  );
  return {
    accepted: await all(
      sql<History['accepted'][number]>`
        select merchant_id as "merchantId", event_id as "eventId", mseq, ${ms('accepted_at')} as "atMs" from accepted`,
    ),
    effects: await all(
      sql<History['effects'][number]>`
        select seq, handler, merchant_id as "merchantId", event_id as "eventId", mseq, xid::text as transaction,
          ${ms('at')} as "atMs"
        from chaos_effects order by seq`,
    ),
    ends: await all(
      sql<History['ends'][number]>`
        select seq, handler, merchant_id as "merchantId", event_id as "eventId", mseq, outcome, reason,
          xid::text as transaction
        from chaos_ends order by seq`,
    ),
    commits: await all(
      sql<History['commits'][number]>`
        select seq, merchant_id as "merchantId", owner, worker, cursor, xid::text as transaction, ${ms('at')} as "atMs"
        from chaos_commits order by seq`,
    ),
    open: await all(
      sql<OpenPair>`
        select handler, merchant_id as "merchantId", event_id as "eventId", state,
          coalesce(last_error ->> 'code', '') as "errorCode"
        from deliveries`,
    ),
    redriven: new Set(redriven.map(({ merchantId, eventId, handler }) => keyOf(merchantId, eventId, handler))),
  };
}

const start = z.object({ merchantId: z.string(), worker: z.string(), atMs: z.number() });
export type Start = z.infer<typeof start>;

/** What workers noted when they called a handler. The last line of one that was killed may be half a line. */
export function readStarts(files: readonly string[]): Start[] {
  return files.flatMap((file) =>
    (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []).flatMap((line) => {
      try {
        return [start.parse(JSON.parse(line))];
      } catch {
        return [];
      }
    }),
  );
}
