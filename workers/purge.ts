import { type Kysely, sql } from 'kysely';
import type { Dedupe, NewMark } from './dedupe.ts';
import type { Database } from '../core/database/tables.ts';
import { type Clock, dayOf } from '../core/runtime/clock.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/**
 * Clears away what is older than the purge horizon and settled: rows of `accepted`, each after its mark is certainly in
 * DynamoDB, and then whole days of inbox and settlements.
 *
 *   a day: young ─► purging (row by row, in the order of the inbox) ─► dropped
 *                       └──something of it is unsettled──► kept until it is looked at again
 *
 * A mark that DynamoDB missed while it was away needs no repair before this: for as long as `accepted` has the row, the mark
 * decides nothing.
 */
export interface Purge {
  /** Step after step while there is something to do, else now and then. */
  start(): void;
  stop(): Promise<void>;
  /** Does a bounded piece of the work. Several workers may do so at a time; it only costs them double reads. */
  step(): Promise<PurgeStep>;
}

export interface PurgeStep {
  /** Rows of `accepted` that were deleted. */
  purged: number;
  /** Days that were dropped. */
  dropped: readonly string[];
}

export interface PurgeOptions {
  db: Kysely<Database>;
  remember: Dedupe['remember'];
  clock: Clock;
  log: Log;
  purgeDays: number;
  /** Events that one step looks at. */
  stepEvents?: number;
}

const BATCH = 1_000;
/** Between two steps that found work, and after one that found none. */
const BUSY_MS = 1_000;
const IDLE_MS = 600_000;
const DAY_MS = 86_400_000;

/** How far a day has been purged. */
interface Progress {
  day: string;
  merchantId: string;
  mseq: number;
  /** Something of it must stay. */
  unsettled: boolean;
}

interface OldEvent {
  merchantId: string;
  mseq: number;
  settled: boolean;
  /** Its row in `accepted`, unless that is purged. */
  eventId: string | null;
  bodyHmac: Buffer;
  acceptedAt: Date;
}

export function createPurge({ db, remember, clock, log, purgeDays, stepEvents = 20_000 }: PurgeOptions): Purge {
  const trouble = onceWhileFailing(log, 'purging what is old and settled');
  const stopping = new AbortController();
  let progress: Progress | undefined;
  let loop: Promise<void> = Promise.resolve();

  const purgeBatch = async (at: Progress): Promise<{ seen: number; purged: number }> => {
    const events = await readBatch(db, at);
    const marks = events.flatMap(({ merchantId, mseq, eventId, bodyHmac, acceptedAt, settled }): NewMark[] =>
      eventId === null || !settled ? [] : [{ merchantId, eventId, mseq, bodyHmac, acceptedAtMs: acceptedAt.getTime() }],
    );
    if (marks.length > 0) {
      await remember(marks);
      await deleteAccepted(db, marks);
    }
    at.unsettled ||= events.some(({ settled }) => !settled);
    const last = events.at(-1);
    if (last !== undefined) Object.assign(at, { merchantId: last.merchantId, mseq: last.mseq });
    return { seen: events.length, purged: marks.length };
  };

  const step: Purge['step'] = async () => {
    const horizon = dayOf(clock.now() - purgeDays * DAY_MS);
    const dropped: string[] = [];
    let purged = 0;
    for (let looked = 0; looked < stepEvents && !stopping.signal.aborted;) {
      progress ??= await nextDay(db, '', horizon);
      if (progress === undefined) break;
      const batch = await purgeBatch(progress);
      purged += batch.purged;
      looked += Math.max(1, batch.seen);
      if (batch.seen === BATCH) continue;
      const { day, unsettled } = progress;
      if (!unsettled && (await dropDay(db, day))) dropped.push(day);
      // After the last day it begins again with the first, in the next step: what was kept may be settled by then.
      progress = await nextDay(db, day, horizon);
      if (progress === undefined) break;
    }
    return { purged, dropped };
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      let pauseMs = IDLE_MS;
      try {
        const { purged, dropped } = await step();
        if (purged > 0 || dropped.length > 0) {
          pauseMs = BUSY_MS;
          log.info('purged what is old and settled', { purged, dropped });
        }
        trouble.ok();
      } catch (error) {
        trouble.failing(error);
      }
      await clock.sleep(pauseMs, stopping.signal);
    }
  };

  return {
    step,
    start() {
      loop = run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/** The first day after `after` that lies wholly before the horizon. */
async function nextDay(db: Kysely<Database>, after: string, horizon: string): Promise<Progress | undefined> {
  const { rows } = await sql<{ day: string }>`
    select to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
    from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'inbox'::regclass order by 1
  `.execute(db);
  const day = rows.find((row) => row.day > after && row.day < horizon)?.day;
  return day === undefined ? undefined : { day, merchantId: '', mseq: 0, unsettled: false };
}

/** By the inbox and not by an index on age: accepting pays for every index, and the inbox has a partition for each day. */
async function readBatch(db: Kysely<Database>, { day, merchantId, mseq }: Progress): Promise<OldEvent[]> {
  const { rows } = await sql<OldEvent>`
    select i.merchant_id as "merchantId", i.mseq, a.event_id as "eventId", a.body_hmac as "bodyHmac",
      a.accepted_at as "acceptedAt",
      i.mseq <= coalesce(l.cursor, 0) and not exists (
        select from deliveries d where d.merchant_id = i.merchant_id and d.mseq = i.mseq) as settled
    from inbox i
    left join accepted a on a.merchant_id = i.merchant_id and a.event_id = i.event_id and a.mseq = i.mseq
    left join lanes l on l.merchant_id = i.merchant_id
    where i.day = ${day}::date and (i.merchant_id, i.mseq) > (${merchantId}, ${mseq})
    order by i.merchant_id, i.mseq limit ${BATCH}
  `.execute(db);
  return rows;
}

async function deleteAccepted(db: Kysely<Database>, marks: readonly NewMark[]): Promise<void> {
  await sql`
    delete from accepted a
    using unnest(${marks.map((m) => m.merchantId)}::text[], ${marks.map((m) => m.eventId)}::text[],
      ${marks.map((m) => m.mseq)}::bigint[]) as t (merchant_id, event_id, mseq)
    where a.merchant_id = t.merchant_id and a.event_id = t.event_id and a.mseq = t.mseq
  `.execute(db);
}

/** False when something of the day is unsettled after all. Rejects when the tables are busy: then a later step does it. */
async function dropDay(db: Kysely<Database>, day: string): Promise<boolean> {
  const { rows } = await sql<{ dropped: boolean }>`select drop_settled_day(${day}::date) as dropped`.execute(db);
  return rows[0]?.dropped === true;
}
