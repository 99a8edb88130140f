import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database, EngineTables } from '../../core/database/tables.ts';
import type { LaneSettings } from '../../core/operations/change-lane.ts';
import type { ErrorRecord } from '../../core/runtime/errors.ts';
import { traceIdOf } from '../../core/runtime/tracing.ts';

/** How an event is found again in logs and traces. */
export interface EventRef {
  mseq: number;
  eventId: string;
  eventType: string;
  /** Null once the inbox row is purged. */
  correlationId: string | null;
  traceId: string | null;
}

export interface OpenDelivery extends EventRef {
  handler: string;
  state: EngineTables['deliveries']['state'];
  holds: EngineTables['deliveries']['holds'];
  holdKey: string | null;
  /** Failed so far. */
  attempt: number;
  notBefore: string | null;
  lastError: ErrorRecord | null;
  updatedAt: string;
}

export interface ComingEvent extends EventRef {
  eventVersion: string;
}

/** What Postgres knows about one lane, at one moment. */
export interface LaneFacts extends LaneSettings {
  merchantId: string;
  owner: string | null;
  worker: string | null;
  cursor: number;
  /** The number of the last accepted event. */
  lastMseq: number;
  backlog: number;
  wake: number;
  dueAt: string | null;
  rateTokens: number;
  rateAt: string | null;
  updatedAt: string | null;
  /** When the last event was accepted. */
  touchedAt: string;
  openDeliveries: number;
  openRedrives: number;
  /** The first event past the cursor. */
  head: EventRef | null;
  /** The first event of each type and version among the next past the cursor. */
  coming: readonly ComingEvent[];
  /** The first of them, by mseq. */
  deliveries: readonly OpenDelivery[];
}

const DELIVERIES_READ = 200;
/** As many as a window has at the usual settings: an event of a newer release holds its window, wherever in it it stands. */
const COMING_READ = 200;

type LaneRow = Omit<LaneFacts, 'openDeliveries' | 'openRedrives' | 'head' | 'coming' | 'deliveries' | keyof Times> &
  Times;
interface Times {
  since: Date | null;
  dueAt: Date | null;
  rateAt: Date | null;
  updatedAt: Date | null;
  touchedAt: Date;
}

/** Undefined for a merchant of whom nothing was accepted yet. */
export async function readLaneFacts(db: Kysely<Database>, merchantId: string): Promise<LaneFacts | undefined> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const { rows } = await sql<LaneRow & { cursorDay: string }>`
        select m.merchant_id as "merchantId", coalesce(l.state, 'active') as state, l.state_reason as reason,
          l.state_by as by, l.state_at as since, l.drain_to as "drainTo", coalesce(l.weight, 1) as weight,
          l.rate_per_second as "ratePerSecond", coalesce(l.rate_tokens, 0) as "rateTokens", l.rate_at as "rateAt",
          l.owner, l.worker, coalesce(l.cursor, 0) as cursor, coalesce(l.cursor_day, '2000-01-01') as "cursorDay",
          m.next_mseq - 1 as "lastMseq", m.next_mseq - 1 - coalesce(l.cursor, 0) as backlog, coalesce(l.wake, 0) as wake,
          l.due_at as "dueAt", l.updated_at as "updatedAt", m.touched_at as "touchedAt"
        from mailbox m left join lanes l using (merchant_id) where m.merchant_id = ${merchantId}
      `.execute(trx);
      const [row] = rows;
      if (row === undefined) return undefined;
      const { cursorDay, since, dueAt, rateAt, updatedAt, touchedAt, ...lane } = row;
      return {
        ...lane,
        since: since?.toISOString() ?? null,
        dueAt: dueAt?.toISOString() ?? null,
        rateAt: rateAt?.toISOString() ?? null,
        updatedAt: updatedAt?.toISOString() ?? null,
        touchedAt: touchedAt.toISOString(),
        ...(await countOpen(trx, merchantId)),
        head: await readHead(trx, merchantId, lane.cursor, cursorDay),
        coming: await readComing(trx, merchantId, lane.cursor, cursorDay),
        deliveries: await readOpenDeliveries(trx, merchantId),
      };
    });
}

async function countOpen(trx: Transaction<Database>, merchantId: string) {
  const { rows } = await sql<{ openDeliveries: number; openRedrives: number }>`
    select (select count(*) from deliveries where merchant_id = ${merchantId}) as "openDeliveries",
      (select count(*) from redrives where merchant_id = ${merchantId} and finished_at is null) as "openRedrives"
  `.execute(trx);
  return rows[0] ?? { openDeliveries: 0, openRedrives: 0 };
}

interface Traced {
  traceparent: string | null;
}

async function readHead(trx: Transaction<Database>, merchantId: string, cursor: number, cursorDay: string) {
  const { rows } = await sql<Omit<EventRef, 'traceId'> & Traced>`
    select mseq, event_id as "eventId", event_type as "eventType", correlation_id as "correlationId", traceparent
    from inbox where merchant_id = ${merchantId} and day >= ${cursorDay}::date and mseq > ${cursor}
    order by day, mseq limit 1
  `.execute(trx);
  const [row] = rows;
  return row === undefined ? null : withTraceId(row);
}

async function readComing(trx: Transaction<Database>, merchantId: string, cursor: number, cursorDay: string) {
  const { rows } = await sql<Omit<ComingEvent, 'traceId'> & Traced>`
    select * from (
      select distinct on (event_type, event_version) mseq, event_id as "eventId", event_type as "eventType",
        event_version as "eventVersion", correlation_id as "correlationId", traceparent
      from (
        select mseq, event_id, event_type, event_version, correlation_id, traceparent
        from inbox where merchant_id = ${merchantId} and day >= ${cursorDay}::date and mseq > ${cursor}
        order by day, mseq limit ${COMING_READ}
      ) next order by event_type, event_version, mseq
    ) first order by mseq
  `.execute(trx);
  return rows.map((row) => withTraceId(row));
}

async function readOpenDeliveries(trx: Transaction<Database>, merchantId: string): Promise<OpenDelivery[]> {
  const { rows } = await sql<
    Omit<OpenDelivery, 'traceId' | 'notBefore' | 'updatedAt'> & Traced & { notBefore: Date | null; updatedAt: Date }
  >`
    select d.mseq, d.event_id as "eventId", d.event_type as "eventType", i.correlation_id as "correlationId",
      i.traceparent, d.handler, d.state, d.holds, d.hold_key as "holdKey", d.attempt, d.not_before as "notBefore",
      d.last_error as "lastError", d.updated_at as "updatedAt"
    from (
      select * from deliveries where merchant_id = ${merchantId} order by mseq, handler limit ${DELIVERIES_READ}
    ) d left join inbox i on i.merchant_id = d.merchant_id and i.day = d.day and i.mseq = d.mseq
    order by d.mseq, d.handler
  `.execute(trx);
  return rows.map((row) => ({
    ...withTraceId(row),
    notBefore: row.notBefore?.toISOString() ?? null,
    updatedAt: row.updatedAt.toISOString(),
  }));
}

function withTraceId<Row extends Traced>({
  traceparent,
  ...row
}: Row): Omit<Row, 'traceparent'> & { traceId: string | null } {
  return { ...row, traceId: traceparent === null ? null : traceIdOf(traceparent) };
}
