import { type Kysely, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import type { Metrics } from '../core/runtime/metrics.ts';
import type { Spans } from '../core/runtime/spans.ts';
import type { CommittedLane } from './act.ts';

/** What a commit says of handlers: how often each ran, how often it failed, and how old its events were. */
export function countCommitted(
  metrics: Metrics,
  lanes: readonly CommittedLane[],
  eventOf: (handler: string) => string | undefined,
  now: number,
): void {
  for (const { ledger } of lanes) {
    for (const { handler, outcome, emittedAt } of ledger.settlements) {
      metrics.count('handlerRuns', { handler });
      if (outcome === 'dead') metrics.count('handlerErrors', { handler });
      const event = eventOf(handler);
      if (outcome === 'done' && event !== undefined && emittedAt !== undefined)
        metrics.record('eventLatency', { event }, Math.max(0, now - Date.parse(emittedAt)));
    }
    for (const { handler, state, lastError } of ledger.deliveries)
      if (state !== 'behind' && lastError !== null) {
        metrics.count('handlerRuns', { handler });
        metrics.count('handlerErrors', { handler });
      }
  }
}

/** A span for each pair of event and handler, from the event's emission to the commit that settled it. */
export function traceCommitted(
  spans: Spans,
  lanes: readonly CommittedLane[],
  eventOf: (handler: string) => string | undefined,
  now: number,
): void {
  for (const { merchantId, ledger } of lanes)
    for (const { handler, eventId, outcome, emittedAt, traceparent } of ledger.settlements) {
      const failed = outcome === 'dead';
      if (emittedAt === undefined || traceparent === undefined || !spans.keeps({ traceparent, failed })) continue;
      spans.record({
        name: handler,
        traceparent,
        // A producer's clock may be ahead of ours; a span may not end before it begins.
        fromMs: Math.min(now, Date.parse(emittedAt)),
        toMs: now,
        failed,
        attributes: { merchantId, eventId, eventType: eventOf(handler) ?? 'unknown', outcome },
      });
    }
}

export interface Observer {
  start(): void;
  stop(): Promise<void>;
  /** One look. Resolves with false when another worker looks. */
  observe(): Promise<boolean>;
}

const EVERY_MS = 30_000;
const LOCK = 'laneway.observe';

/**
 * Gauges of what lies in Postgres, by one worker of the fleet at a time: the figures are the fleet's, and the statements are
 * not free. A lane that nothing came to for a day is not counted as behind; the sweeper's full pass wakes it.
 */
export function createObserver(options: { db: Kysely<Database>; metrics: Metrics; clock: Clock; log: Log }): Observer {
  const { db, metrics, clock, log } = options;
  const stopping = new AbortController();
  const trouble = onceWhileFailing(log, 'observing lanes and outbox');
  let loop: Promise<void> = Promise.resolve();

  const observe = () =>
    db.transaction().execute(async (trx) => {
      const lock = await sql<{ got: boolean }>`select pg_try_advisory_xact_lock(hashtext(${LOCK})) as got`.execute(trx);
      if (lock.rows[0]?.got !== true) return false;
      const now = clock.now();
      const { rows } = await sql<{ blocked: number; parked: number; backlog: number; oldest: Date | null }>`
        select (select count(*) from lanes where state = 'blocked') as blocked,
          (select count(*) from deliveries where state = 'parked') as parked,
          (select coalesce(sum(m.next_mseq - 1 - coalesce(l.cursor, 0)), 0)::bigint
            from mailbox m left join lanes l using (merchant_id)
            where m.touched_at > ${new Date(now - 86_400_000)}) as backlog,
          (select min(created_at) from outbox where state = 'pending') as oldest
      `.execute(trx);
      const [row] = rows;
      if (row === undefined) return false;
      metrics.gauge('lanesBlocked', {}, row.blocked);
      metrics.gauge('deliveriesParked', {}, row.parked);
      metrics.gauge('lanesBacklog', {}, row.backlog);
      metrics.gauge('outboxLag', {}, row.oldest === null ? 0 : Math.max(0, now - row.oldest.getTime()) / 1_000);
      return true;
    });

  return {
    observe,
    start() {
      loop = (async () => {
        while (!stopping.signal.aborted) {
          try {
            await observe();
            trouble.ok();
          } catch (error) {
            trouble.failing(error);
          }
          await clock.sleep(EVERY_MS, stopping.signal);
        }
      })();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}
