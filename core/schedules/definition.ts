import type { Transaction } from 'kysely';
import type { Database } from '../database/tables.ts';

/** When a job's periods begin. A cron expression has five fields and is read on the clocks of its zone (IANA name). */
export type Timing = { everyMs: number } | { cron: string; zone: string };

/** A period lasts from its start to the start of the next one. Epoch milliseconds. */
export interface Period {
  startMs: number;
  endMs: number;
}

export interface ScheduledTurn {
  period: Period;
  nowMs: number;
  /** `next` of the page before; empty for the first page. */
  after: string;
  /** Merchants to look at in this page, at most. */
  limit: number;
}

export interface ScheduledEvent {
  eventType: string;
  /** Absent for an event that belongs to no merchant: it takes the lane that its registry entry names. */
  merchantId?: string;
  payload: Record<string, unknown>;
  /** Tells several events of one type, merchant and period apart. */
  key?: string;
}

export interface ScheduledPage {
  events: readonly ScheduledEvent[];
  /** Where the next page begins, greater than `after`; undefined when this was the last one. */
  next: string | undefined;
}

/**
 * Something that is to happen once per period, whatever the number of workers. It says so by events: one or more for each
 * merchant that is due.
 */
export interface ScheduledJob {
  /** `billing.close_cycles`. Rows are kept under it: a new name is a new job. */
  name: string;
  description: string;
  timing: Timing;
  /**
   * What becomes of periods that nobody could work: `skip` leaves them out and goes on with the current one; `catchUp` works
   * that many of the latest, oldest first. A period that was begun is always finished.
   */
  missed: 'skip' | { catchUp: number };
  /** Merchants in one transaction; 500 unless told. */
  pageSize?: number;
  /**
   * One page of what is due in the period, read by one set-based query over merchants in byte order. Runs in the transaction
   * that emits its events and remembers how far it came, so that a page happens wholly or not at all; what else it writes is
   * written with it. Calls nothing outside.
   */
  due(trx: Transaction<Database>, turn: ScheduledTurn): Promise<ScheduledPage>;
}
