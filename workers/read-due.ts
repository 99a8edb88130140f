import { type Kysely, sql } from 'kysely';
import type { EffectKey } from './effect-lane.ts';
import type { Place } from './sweep-turn.ts';
import type { Database } from '../core/database/tables.ts';

/**
 * What is due, a page at a time, the oldest first. Each page begins after the last one, and after the end comes the
 * beginning: rows that stay due, because nobody can do anything about them, then hide nobody else.
 */
export interface DuePage<T> {
  rows: readonly T[];
  /** Where the next page begins; null: at the beginning. */
  next: Place | null;
}

type Due<T> = T & { dueAt: string };

const pageOf = <T>(
  rows: readonly Due<T>[],
  limit: number,
  placeOf: (row: Due<T>) => Place,
): { rows: readonly Due<T>[]; next: Place | null } => {
  const last = rows.at(-1);
  return { rows, next: last === undefined || rows.length < limit ? null : placeOf(last) };
};

export async function readDueLanes(
  db: Kysely<Database>,
  [dueAt, merchantId = '']: Place = ['-infinity'],
  limit: number,
): Promise<DuePage<{ merchantId: string }>> {
  const { rows } = await sql<Due<{ merchantId: string }>>`
    select merchant_id as "merchantId", due_at::text as "dueAt" from lanes
    where due_at <= now() and state = 'active' and (due_at, merchant_id) > (${dueAt}::timestamptz, ${merchantId})
    order by due_at, merchant_id limit ${limit}
  `.execute(db);
  return pageOf(rows, limit, (row) => [row.dueAt, row.merchantId]);
}

export async function readDueEffects(
  db: Kysely<Database>,
  [dueAt, merchantId = '', destination = '']: Place = ['-infinity'],
  limit: number,
): Promise<DuePage<EffectKey>> {
  const { rows } = await sql<Due<EffectKey>>`
    select merchant_id as "merchantId", destination, due_at::text as "dueAt" from effect_lanes
    where due_at <= now()
      and (due_at, merchant_id, destination) > (${dueAt}::timestamptz, ${merchantId}, ${destination})
    order by due_at, merchant_id, destination limit ${limit}
  `.execute(db);
  const { next } = pageOf(rows, limit, (row) => [row.dueAt, row.merchantId, row.destination]);
  return { rows: rows.map((row) => ({ merchantId: row.merchantId, destination: row.destination })), next };
}
