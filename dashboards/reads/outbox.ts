import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

export interface OutboxPending {
  stream: 'events' | 'dead-letters';
  count: number;
  /** True when the count stopped at its bound. */
  partial: boolean;
  oldestAt: Date;
  /** Rows that were tried at least once and failed. */
  retrying: number;
}

const ROWS_CONSIDERED = 50_000;

export async function readOutboxPending(db: Kysely<Database>): Promise<readonly OutboxPending[]> {
  const { rows } = await sql<OutboxPending>`
    select stream, count(*) as count, count(*) >= ${ROWS_CONSIDERED} as partial, min(created_at) as "oldestAt",
      count(*) filter (where attempts > 0 and last_error is not null) as retrying
    from (
      (select * from outbox where state = 'pending' and stream = 'events' limit ${ROWS_CONSIDERED})
      union all
      (select * from outbox where state = 'pending' and stream = 'dead-letters' limit ${ROWS_CONSIDERED})
    ) pending
    group by stream order by stream desc
  `.execute(db);
  return rows;
}
