import { type Kysely, sql } from 'kysely';
import { createRepeater } from './repeat.ts';
import type { EventDefinition } from '../core/events/definition.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { Log } from '../core/runtime/log.ts';

/**
 * Which handlers count. While a release that adds one replaces another, some workers have it and some do not: it runs for
 * no event until all have it, and from then on for every event, so that what it missed lies before and not in between.
 *
 *   handler: unknown ──every live worker has it──► started ──no live worker has it──► retired ──all have it──► started
 *
 * A window reads the generation of these rows in the statement that reads its events, under the fence: of one lane's windows
 * none sees an older one than the window before. A worker that finds a newer one than it knows reads the rows before it goes
 * on; one that lacks a started handler takes that handler's events for events of a newer release and leaves their lanes to
 * others. So nothing depends on how soon anybody notices, nor on a worker that was taken for dead.
 */
export interface HandlerStarts {
  /**
   * The events as of this generation, or a newer one: with the handlers that count, and without the events of which this
   * release lacks one that does.
   */
  registryIn(trx: Kysely<Database>, generation: number): Promise<Registry>;
  /** Says what this worker has, and starts and retires what is to be. */
  align(): Promise<void>;
  /** Aligns again and again. */
  start(): void;
  /** Takes this worker out of those that are asked. */
  stop(): Promise<void>;
}

export interface HandlerStartsOptions {
  db: Kysely<Database>;
  registry: Registry;
  worker: string;
  clock: Clock;
  log: Log;
}

const EVERY_MS = 10_000;
/** A worker that was silent for this long is dead; if it is not, it finds the new generation when it comes back. */
const SILENT_MS = 60_000;

interface StartRow {
  handler: string;
  eventType: string;
  generation: number;
  started: boolean;
}

export function createHandlerStarts({ db, registry, worker, clock, log }: HandlerStartsOptions): HandlerStarts {
  const own = [...registry.values()].flatMap(({ name, handlers }) =>
    handlers.map((handler) => ({ handler: handler.name, eventType: name })),
  );
  let known: { generation: number; registry: Registry } = { generation: -1, registry };

  const read = async (trx: Kysely<Database>) => {
    const { rows } = await sql<StartRow>`
      select handler, event_type as "eventType", generation, retired_at is null as started from handler_starts
    `.execute(trx);
    known = { generation: Math.max(0, ...rows.map((row) => row.generation)), registry: startedOf(registry, rows) };
  };

  const align = () =>
    db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtext('laneway.handler_starts'))`.execute(trx);
      await sql`
        delete from worker_handlers where seen_at < now() - ${SILENT_MS} * interval '1 millisecond'
      `.execute(trx);
      await sql`
        insert into worker_handlers (worker, handlers, seen_at)
        values (${worker}, ${own.map(({ handler }) => handler)}::text[], now())
        on conflict (worker) do update set handlers = excluded.handlers, seen_at = excluded.seen_at
      `.execute(trx);
      const { rows: started } = await sql<{ handler: string }>`
        insert into handler_starts (handler, event_type, generation, started_at)
        select handler, event_type, (select coalesce(max(generation), 0) + 1 from handler_starts), now()
        from unnest(${own.map(({ handler }) => handler)}::text[], ${own.map(({ eventType }) => eventType)}::text[])
          as o (handler, event_type)
        where not exists (select from worker_handlers w where o.handler <> all (w.handlers))
        on conflict (handler) do update set event_type = excluded.event_type, generation = excluded.generation,
          started_at = excluded.started_at, retired_at = null
          where handler_starts.retired_at is not null
        returning handler
      `.execute(trx);
      const { rows: retired } = await sql<{ handler: string }>`
        update handler_starts s set retired_at = now(), generation = (select max(generation) + 1 from handler_starts)
        where retired_at is null and not exists (select from worker_handlers w where s.handler = any (w.handlers))
        returning handler
      `.execute(trx);
      return { started: started.map(({ handler }) => handler), retired: retired.map(({ handler }) => handler) };
    });

  const repeater = createRepeater({
    what: 'agreeing on the handlers that count',
    everyMs: EVERY_MS,
    work: async () => {
      await tell();
      return { more: false };
    },
    clock,
    log,
  });

  const tell = async (): Promise<void> => {
    const { started, retired } = await align();
    if (started.length > 0) log.info('handlers count from here on', { started });
    if (retired.length > 0) log.warn('handlers count no more, since no worker has them', { retired });
  };

  return {
    align: tell,
    async registryIn(trx, generation) {
      if (known.generation < generation) await read(trx);
      return known.registry;
    },
    start: () => repeater.start(),
    async stop() {
      await repeater.stop();
      await db.deleteFrom('worker_handlers').where('worker', '=', worker).execute();
    },
  };
}

/** An event of which nothing ever started is new itself: workers that do not know it wait, so its handlers count at once. */
function startedOf(registry: Registry, rows: readonly StartRow[]): Registry {
  const byEvent = Map.groupBy(rows, (row) => row.eventType);
  return new Map(
    [...registry].flatMap(([name, definition]): [string, EventDefinition][] => {
      const own = byEvent.get(name);
      if (own === undefined) return [[name, definition]];
      const started = new Set(own.flatMap((row) => (row.started ? [row.handler] : [])));
      const [first, ...others] = definition.handlers.filter((handler) => started.has(handler.name));
      if (first === undefined || 1 + others.length < started.size) return [];
      return [
        [
          name,
          1 + others.length === definition.handlers.length
            ? definition
            : { ...definition, handlers: [first, ...others] },
        ],
      ];
    }),
  );
}
