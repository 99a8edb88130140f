import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { DAY_MS, dayOf } from '../../core/runtime/clock.ts';

export interface Throughput {
  settled: number;
  done: number;
  skipped: number;
  dead: number;
}

export interface WorkerActivity {
  worker: string;
  settledLastMinute: number;
  settledLastTenMinutes: number;
  lastSettledAt: Date | null;
  /** Shards of the outbox that this worker relays now. */
  relayShards: number;
}

export interface Activity {
  lastMinute: Throughput;
  lastTenMinutes: Throughput;
  workers: readonly WorkerActivity[];
}

interface Row {
  worker: string;
  outcome: 'done' | 'skip' | 'dead' | null;
  lastMinute: number;
  lastTenMinutes: number;
  lastSettledAt: Date | null;
  relayShards: number;
}

const MINUTE_MS = 60_000;
/** An event is settled in the partition of the day it was accepted; what waited longer than this is not counted. */
const PARTITIONS_DAYS = 7;

/** What was settled lately, by outcome and by worker, and which workers hold leases of the relay. */
export async function readActivity(db: Kysely<Database>, nowMs: number): Promise<Activity> {
  const { rows } = await sql<Row>`
    with settled as (
      select worker, outcome, count(*) filter (where settled_at > ${new Date(nowMs - MINUTE_MS)}) as last_minute,
        count(*) as last_ten_minutes, max(settled_at) as last_settled_at
      from settlements
      where settled_at > ${new Date(nowMs - 10 * MINUTE_MS)}
        and day >= ${dayOf(nowMs - PARTITIONS_DAYS * DAY_MS)}::date
      group by worker, outcome
    ), relaying as (
      select worker, count(*) filter (where shard >= 0) as shards from relay_leases where expires_at > ${new Date(nowMs)} group by worker
    )
    select worker, outcome, coalesce(last_minute, 0) as "lastMinute",
      coalesce(last_ten_minutes, 0) as "lastTenMinutes", last_settled_at as "lastSettledAt",
      coalesce(shards, 0) as "relayShards"
    from settled full join relaying using (worker)
    order by worker limit 1000
  `.execute(db);
  return {
    lastMinute: throughputOf(rows, (row) => row.lastMinute),
    lastTenMinutes: throughputOf(rows, (row) => row.lastTenMinutes),
    workers: [...Map.groupBy(rows, (row) => row.worker)].map(([worker, own]) => ({
      worker,
      settledLastMinute: sum(own, (row) => row.lastMinute),
      settledLastTenMinutes: sum(own, (row) => row.lastTenMinutes),
      lastSettledAt: latest(own.map((row) => row.lastSettledAt)),
      relayShards: own[0]?.relayShards ?? 0,
    })),
  };
}

function throughputOf(rows: readonly Row[], pick: (row: Row) => number): Throughput {
  const of = (outcome: Row['outcome']) =>
    sum(
      rows.filter((row) => row.outcome === outcome),
      pick,
    );
  return { settled: sum(rows, pick), done: of('done'), skipped: of('skip'), dead: of('dead') };
}

const sum = (rows: readonly Row[], pick: (row: Row) => number): number =>
  rows.reduce((total, row) => total + pick(row), 0);

const latest = (dates: readonly (Date | null)[]): Date | null =>
  dates.reduce((newest, date) => (date !== null && (newest === null || date > newest) ? date : newest), null);
