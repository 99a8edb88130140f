import { type Kysely, type Transaction, sql } from 'kysely';
import { appendOutbox, eventRow } from '../core/database/outbox.ts';
import type { Database } from '../core/database/tables.ts';
import { type BuiltEvent, buildEvent } from '../core/events/build.ts';
import type { Registry } from '../core/events/registry.ts';
import { derivedEventId } from '../core/runtime/ids.ts';
import { newTraceparent } from '../core/runtime/tracing.ts';
import type { Period, ScheduledEvent, ScheduledJob } from '../core/schedules/definition.ts';
import { periodAt, periodsSince } from '../core/schedules/periods.ts';

/**
 * `idle`: nothing of the job is due. `elsewhere`: another worker is at it. `page`: a page was committed, and there may be
 * more.
 */
export type PageResult = { kind: 'idle' | 'elsewhere' } | { kind: 'page'; events: number; period: Period };

const PAGE_SIZE = 500;

interface Turn {
  period: Period;
  after: string;
  begun: boolean;
  leftOut: boolean;
}

/**
 * Works one page of one job, in one transaction: what is due by Postgres, its events, and how far it came. One worker at a
 * time is at a job, and the decision is read after its lock was taken, so that it sees what the one before committed.
 * @param nowMs whose period counts. A worker whose clock is behind finds the period taken; one that is ahead begins it early.
 */
export async function runPage(
  db: Kysely<Database>,
  registry: Registry,
  job: ScheduledJob,
  nowMs: number,
): Promise<PageResult> {
  return await db.transaction().execute(async (trx) => {
    const lock = await sql<{ held: boolean }>`
      select pg_try_advisory_xact_lock(hashtext('laneway.schedule'), hashtext(${job.name})) as held
    `.execute(trx);
    if (lock.rows[0]?.held !== true) return { kind: 'elsewhere' };
    const turn = await nextTurn(trx, job, nowMs);
    if (turn === undefined) return { kind: 'idle' };
    const { period, after } = turn;
    const page = await job.due(trx, { period, nowMs, after, limit: job.pageSize ?? PAGE_SIZE });
    if (page.next !== undefined && Buffer.compare(Buffer.from(page.next), Buffer.from(after)) <= 0)
      throw new Error(`${job.name} would go from ${after} to ${page.next}, and never end`);
    await recordPage(trx, job, turn, page.next, page.events.length, nowMs);
    const built = page.events.map((event) => build(registry, job, period, event, nowMs));
    await appendOutbox(trx, built.map(eventRow), nowMs);
    return { kind: 'page', events: built.length, period };
  });
}

/** What to work next: a period that was begun, else the oldest one that is due. */
async function nextTurn(trx: Transaction<Database>, job: ScheduledJob, nowMs: number): Promise<Turn | undefined> {
  const begun = await trx
    .selectFrom('schedule_periods')
    .select(['period', 'after'])
    .where('job', '=', job.name)
    .where('state', '=', 'running')
    .orderBy('period')
    .limit(1)
    .executeTakeFirst();
  if (begun !== undefined) {
    const period = periodAt(job.timing, begun.period.getTime());
    // The timing may have changed since; the row keeps the period it was begun for.
    const startMs = begun.period.getTime();
    return { period: { ...period, startMs }, after: begun.after, begun: true, leftOut: false };
  }
  const last = await trx
    .selectFrom('schedule_periods')
    .select('period')
    .where('job', '=', job.name)
    .orderBy('period', 'desc')
    .limit(1)
    .executeTakeFirst();
  // A job that is new begins with the period it is in: it missed nothing.
  const limit = last === undefined || job.missed === 'skip' ? 1 : job.missed.catchUp;
  const since = last?.period.getTime() ?? nowMs - 1_000 * 86_400_000;
  const { periods, more } = periodsSince(job.timing, since, nowMs, limit);
  const [period] = periods;
  return period === undefined ? undefined : { period, after: '', begun: false, leftOut: more && last !== undefined };
}

async function recordPage(
  trx: Transaction<Database>,
  job: ScheduledJob,
  { period, after, begun, leftOut }: Turn,
  next: string | undefined,
  events: number,
  nowMs: number,
): Promise<void> {
  const now = new Date(nowMs);
  const state = next === undefined ? 'done' : 'running';
  const progress = {
    state,
    after: next ?? after,
    updated_at: now,
    finished_at: next === undefined ? now : null,
  } as const;
  const at = new Date(period.startMs);
  if (!begun) {
    const first = { job: job.name, period: at, events, pages: 1, left_out: leftOut, started_at: now, ...progress };
    await trx.insertInto('schedule_periods').values(first).execute();
    return;
  }
  await trx
    .updateTable('schedule_periods')
    .set((row) => ({ ...progress, events: row('events', '+', events), pages: row('pages', '+', 1) }))
    .where('job', '=', job.name)
    .where('period', '=', at)
    .execute();
}

/** The id derives from job, period and merchant: even if a page came twice, its events would be duplicates. */
function build(
  registry: Registry,
  job: ScheduledJob,
  period: Period,
  { eventType, merchantId, payload, key }: ScheduledEvent,
  nowMs: number,
): BuiltEvent {
  const cause = `${job.name} ${new Date(period.startMs).toISOString()}`;
  return buildEvent(registry, {
    eventId: derivedEventId(cause, JSON.stringify([eventType, merchantId ?? null, key ?? '']), 0),
    eventType,
    ...(merchantId === undefined ? {} : { merchantId }),
    correlationId: cause.replace(' ', ':'),
    traceparent: newTraceparent(),
    timestamp: new Date(nowMs).toISOString(),
    payload,
  });
}

const KEPT_DAYS = 400;

/** Forgets periods long past, but never a job's latest, by which the next one is found. Resolves with how many. */
export async function purgePeriods(db: Kysely<Database>, nowMs: number, limit = 5_000): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from schedule_periods p using (
      select job, period from schedule_periods old
      where period < ${new Date(nowMs - KEPT_DAYS * 86_400_000)} and state = 'done'
        and exists (select from schedule_periods newer where newer.job = old.job and newer.period > old.period)
      limit ${limit}
    ) as gone where p.job = gone.job and p.period = gone.period
  `.execute(db);
  return Number(numAffectedRows ?? 0);
}
