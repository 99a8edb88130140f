import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type DataClass, type RetentionPolicy, policyOf, youngestToGo } from './policies.ts';

/**
 * True for a day whose rows of a class may be gone: what is told of it now can no longer be put beside what was known, and
 * would make sums of it wrong.
 */
export function isPastRetention(dataClass: DataClass, day: string, nowMs: number): boolean {
  const policy = policyOf(dataClass);
  return policy !== undefined && day.slice(0, 7) <= youngestToGo(policy, nowMs);
}

export interface MonthToGo {
  dataClass: string;
  month: string;
  rows: number;
}

/** Months of a class that are past their retention and have rows. Reads the whole class. */
export async function readMonthsToGo(
  db: Kysely<Database>,
  policy: RetentionPolicy,
  nowMs: number,
): Promise<MonthToGo[]> {
  const { rows } = await sql<{ month: string; rows: number }>`
    select month, row_count as rows
    from retention_months(${policy.dataClass}, (${`${youngestToGo(policy, nowMs)}-01`}::date + interval '1 month')::date)
  `.execute(db);
  return rows.map((row) => ({ dataClass: policy.dataClass, ...row }));
}
