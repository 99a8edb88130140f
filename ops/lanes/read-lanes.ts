import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { LaneSettings } from '../../core/operations/change-lane.ts';

/**
 * A page of lanes. Every query walks an index from where the last page ended and stops at its limit, so a page costs the
 * same whether there are a hundred lanes or a million.
 *
 *   all             by merchant
 *   blocked, paused by merchant, from the index of what is not active
 *   draining        by merchant, from the index of what drains
 *   waiting         by merchant, from the index of what has something due
 *   behind          the mailboxes touched last come first: who is behind is mostly there
 *
 * `behind` compares mailboxes with lanes, and no index spans the two. So a page of it looks at a bounded number of mailboxes
 * and may be short although more follows; `next` says so. With a prefix it goes by merchant, as the others.
 */
export const laneFilters = ['blocked', 'paused', 'draining', 'behind', 'waiting'] as const;
export type LaneFilter = (typeof laneFilters)[number];

export interface LaneQuery {
  filter: LaneFilter | undefined;
  /** Merchants whose id starts so. */
  prefix: string | undefined;
  limit: number;
  /** `next` of the page before. */
  after: string | undefined;
}

export interface LaneRow extends LaneSettings {
  merchantId: string;
  cursor: number;
  backlog: number;
  openDeliveries: number;
  dueAt: string | null;
  worker: string | null;
}

export interface LanePage {
  lanes: readonly LaneRow[];
  /** What `after` takes for the next page; null at the end. */
  next: string | null;
}

/** Mailboxes that one page of `behind` looks at. */
export const MAILBOXES_CONSIDERED = 1_000;

interface Candidate extends Omit<LaneRow, 'since' | 'dueAt'> {
  since: Date | null;
  dueAt: Date | null;
  touchedAt: string;
}

export async function readLanes(db: Kysely<Database>, query: LaneQuery): Promise<LanePage> {
  const considered = query.filter === 'behind' ? MAILBOXES_CONSIDERED : query.limit;
  const { rows } = await laneQuery(query, considered).execute(db);
  const wanted = query.filter === 'behind' ? rows.filter(({ backlog }) => backlog > 0) : rows;
  const page = wanted.slice(0, query.limit);
  const last = wanted.length > query.limit ? page.at(-1) : rows.length < considered ? undefined : rows.at(-1);
  return { lanes: page.map(toRow), next: last === undefined ? null : tokenOf(query, last) };
}

const byTouch = ({ filter, prefix }: LaneQuery): boolean => filter === 'behind' && prefix === undefined;

/** Exported for the test that asks Postgres how it would run it. */
export function laneQuery(query: LaneQuery, considered: number): RawBuilder<Candidate> {
  return sql<Candidate>`
    select m.merchant_id as "merchantId", coalesce(l.state, 'active') as state, l.state_reason as reason, l.state_by as by,
      l.state_at as since, l.drain_to as "drainTo", coalesce(l.weight, 1) as weight, l.rate_per_second as "ratePerSecond",
      coalesce(l.cursor, 0) as cursor, m.next_mseq - 1 - coalesce(l.cursor, 0) as backlog,
      coalesce(l.open_deliveries, 0) as "openDeliveries", l.due_at as "dueAt", l.worker, m.touched_at::text as "touchedAt"
    from (${candidates(query, considered)}) c
    cross join lateral (select * from mailbox where merchant_id = c.merchant_id limit 1) m
    left join lateral (select * from lanes where merchant_id = c.merchant_id limit 1) l on true
    order by ${byTouch(query) ? sql`m.touched_at desc, m.merchant_id desc` : sql`m.merchant_id`}
  `;
}

function candidates(query: LaneQuery, considered: number): RawBuilder<unknown> {
  const limit = sql`limit ${considered}`;
  if (byTouch(query)) {
    const after = touchToken(query.after);
    const where =
      after === undefined ? sql`` : sql`where (touched_at, merchant_id) < (${after[0]}::timestamptz, ${after[1]})`;
    return sql`select merchant_id from mailbox ${where} order by touched_at desc, merchant_id desc ${limit}`;
  }
  const range = sql`merchant_id > ${query.after ?? ''} ${startingWith(query.prefix)} order by merchant_id ${limit}`;
  switch (query.filter) {
    case undefined:
    case 'behind':
      return sql`select merchant_id from mailbox where ${range}`;
    case 'blocked':
    case 'paused':
      return sql`select merchant_id from lanes where state <> 'active' and state = ${query.filter} and ${range}`;
    case 'draining':
      return sql`select merchant_id from lanes where drain_to is not null and ${range}`;
    case 'waiting':
      return sql`select merchant_id from lanes where due_at is not null and ${range}`;
    default:
      return query.filter satisfies never;
  }
}

/** As a range, which an index of `collate "C"` can be walked by whatever the plan knows of the prefix. */
function startingWith(prefix: string | undefined): RawBuilder<unknown> {
  if (prefix === undefined || prefix === '') return sql``;
  const end = successorOf(prefix);
  return end === undefined
    ? sql`and merchant_id >= ${prefix}`
    : sql`and merchant_id >= ${prefix} and merchant_id < ${end}`;
}

/** The smallest text after every text that starts with the prefix; undefined when there is none. */
function successorOf(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.length > 0) {
    const last = points.pop() ?? 0;
    if (last === 0x10ffff) continue;
    // Surrogates are no characters of their own.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

const tokenOf = (query: LaneQuery, { touchedAt, merchantId }: Candidate): string =>
  byTouch(query) ? `${touchedAt}|${merchantId}` : merchantId;

function touchToken(token: string | undefined): [string, string] | undefined {
  if (token === undefined) return undefined;
  const bar = token.indexOf('|');
  return [token.slice(0, bar), token.slice(bar + 1)];
}

/** False for what cannot be a `next` of such a query. */
export const isToken = (query: Pick<LaneQuery, 'filter' | 'prefix'>, token: string): boolean =>
  query.filter !== 'behind' || query.prefix !== undefined || /^\d{4}-\d\d-\d\d [\d:.+-]+\|./.test(token);

const toRow = (row: Candidate): LaneRow => ({
  merchantId: row.merchantId,
  state: row.state,
  reason: row.reason,
  by: row.by,
  since: row.since?.toISOString() ?? null,
  drainTo: row.drainTo,
  weight: row.weight,
  ratePerSecond: row.ratePerSecond,
  cursor: row.cursor,
  backlog: row.backlog,
  openDeliveries: row.openDeliveries,
  dueAt: row.dueAt?.toISOString() ?? null,
  worker: row.worker,
});
