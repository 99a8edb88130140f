import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

export interface LaneSummary {
  merchantId: string;
  state: 'active' | 'paused' | 'blocked';
  stateReason: string | null;
  worker: string | null;
  cursor: number;
  /** Accepted events past the cursor. */
  backlog: number;
  openDeliveries: number;
  /** When the oldest event past the cursor was received; null when there is none. */
  oldestPendingAt: Date | null;
  updatedAt: Date | null;
}

export interface Backlog {
  total: number;
  merchantsBehind: number;
  /** True when there are more merchants than were looked at: the figures are then lower bounds. */
  partial: boolean;
  busiest: readonly LaneSummary[];
}

/**
 * A lane that is behind was either touched lately, or is held, or has something due; looking at these and not at every
 * merchant keeps the query's cost flat as merchants are added.
 */
const MAILBOXES_CONSIDERED = 20_000;
const LANES_CONSIDERED = 2_000;

const columns = sql`
  m.merchant_id as "merchantId", coalesce(l.state, 'active') as state, l.state_reason as "stateReason", l.worker,
  coalesce(l.cursor, 0) as cursor, m.next_mseq - 1 - coalesce(l.cursor, 0) as backlog,
  coalesce(l.open_deliveries, 0) as "openDeliveries", l.updated_at as "updatedAt"`;

/** The first event past a lane's cursor: partitions are tried in the order of their days, and the first hit ends it. */
const oldestPending = sql`
  left join lateral (
    select i.received_at from inbox i
    where i.merchant_id = lane."merchantId" and i.day >= lane.cursor_day and i.mseq > lane.cursor
    order by i.day, i.mseq limit 1
  ) head on lane.backlog > 0`;

/** The lanes with the longest backlogs, and the backlog over all lanes. */
export async function readBacklog(db: Kysely<Database>, limit: number): Promise<Backlog> {
  const { rows } = await sql<LaneSummary & { total: number; merchantsBehind: number; considered: number }>`
    with touched as (
      select merchant_id from mailbox order by touched_at desc limit ${MAILBOXES_CONSIDERED}
    ), candidates as (
      select merchant_id from touched
      union (select merchant_id from lanes where state <> 'active' limit ${LANES_CONSIDERED})
      union (select merchant_id from lanes where due_at is not null order by due_at limit ${LANES_CONSIDERED})
    ), measured as (
      select ${columns}, coalesce(l.cursor_day, '2000-01-01') as cursor_day
      from candidates join mailbox m using (merchant_id) left join lanes l using (merchant_id)
    ), totals as (
      select coalesce(sum(backlog), 0)::bigint as total, count(*) filter (where backlog > 0) as "merchantsBehind",
        (select count(*) from touched) as considered
      from measured
    ), lane as (
      select * from measured where backlog > 0 order by backlog desc, "merchantId" limit ${limit}
    )
    select totals.*, lane.*, head.received_at as "oldestPendingAt"
    from totals left join lane on true ${oldestPending}
    order by lane.backlog desc, lane."merchantId"
  `.execute(db);
  return {
    total: rows[0]?.total ?? 0,
    merchantsBehind: rows[0]?.merchantsBehind ?? 0,
    partial: (rows[0]?.considered ?? 0) >= MAILBOXES_CONSIDERED,
    // With no lane behind, the totals come with an empty lane.
    busiest: rows.filter((row) => row.merchantId !== null).map(summaryOf),
  };
}

/** Lanes that wait for an operator, longest first: blocked before paused. */
export async function readHeldLanes(db: Kysely<Database>, limit: number): Promise<readonly LaneSummary[]> {
  const { rows } = await sql<LaneSummary>`
    with held as (
      select * from lanes where state <> 'active' limit ${LANES_CONSIDERED}
    ), lane as (
      select ${columns}, l.cursor_day from held l join mailbox m using (merchant_id)
      order by l.state, l.updated_at limit ${limit}
    )
    select lane.*, head.received_at as "oldestPendingAt" from lane ${oldestPending}
    order by lane.state, lane."updatedAt"
  `.execute(db);
  return rows.map(summaryOf);
}

export async function readLane(db: Kysely<Database>, merchantId: string): Promise<LaneSummary | undefined> {
  const { rows } = await sql<LaneSummary>`
    with lane as (
      select ${columns}, coalesce(l.cursor_day, '2000-01-01') as cursor_day
      from mailbox m left join lanes l using (merchant_id) where m.merchant_id = ${merchantId}
    )
    select lane.*, head.received_at as "oldestPendingAt" from lane ${oldestPending}
  `.execute(db);
  return rows[0] === undefined ? undefined : summaryOf(rows[0]);
}

const summaryOf = (row: LaneSummary): LaneSummary => ({
  merchantId: row.merchantId,
  state: row.state,
  stateReason: row.stateReason,
  worker: row.worker,
  cursor: row.cursor,
  backlog: row.backlog,
  openDeliveries: row.openDeliveries,
  oldestPendingAt: row.oldestPendingAt,
  updatedAt: row.updatedAt,
});
