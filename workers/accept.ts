import type { Kysely } from 'kysely';
import { ensurePartitions } from '../core/database/migrate.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { type AcceptResult, type AcceptableEvent, acceptRows } from './accept-rows.ts';

const MAX_TRIES = 6;

/**
 * Accepts a batch and answers for each event, in the order given. Rejects only for reasons that are not an event's own:
 * then part of the batch may have been committed, and offering all of it again is safe.
 *
 * A batch that the database refuses for what it contains is halved until the culprit is alone, which is answered as
 * `rejected`. Halves go one after the other, so that a merchant's order stays.
 */
export async function acceptBatch(
  db: Kysely<Database>,
  events: readonly AcceptableEvent[],
  { clock }: { clock: Clock },
): Promise<readonly AcceptResult[]> {
  if (events.length === 0) return [];
  try {
    return await acceptWithRetries(db, events, clock);
  } catch (error) {
    if (!isFaultOfData(error)) throw error;
    if (events.length === 1) return [{ status: 'rejected', reason: error.message }];
    const middle = Math.ceil(events.length / 2);
    const earlier = await acceptBatch(db, events.slice(0, middle), { clock });
    const later = await acceptBatch(db, events.slice(middle), { clock });
    return [...earlier, ...later];
  }
}

async function acceptWithRetries(
  db: Kysely<Database>,
  events: readonly AcceptableEvent[],
  clock: Clock,
): Promise<readonly AcceptResult[]> {
  let madePartition = false;
  for (let tries = 1; ; tries++) {
    try {
      return await acceptRows(db, events, clock.now());
    } catch (error) {
      const missingDay = missingPartitionOf(error, clock.now());
      if (missingDay !== undefined && !madePartition) {
        madePartition = true;
        await ensurePartitions(db, missingDay);
      } else if (isRollback(error) && tries < MAX_TRIES) await clock.sleep(5 * 2 ** tries);
      else throw error;
    }
  }
}

interface DatabaseError extends Error {
  code: string;
  detail?: string;
}

const isDatabaseError = (error: unknown): error is DatabaseError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string';

/** Chosen as the victim of a deadlock, or not serializable: the same again goes through. */
const isRollback = (error: unknown): boolean => isDatabaseError(error) && /^(40P01|40001)$/.test(error.code);

/** The start of the day without a partition, as epoch milliseconds. A mailbox may be a day ahead of this process's clock. */
function missingPartitionOf(error: unknown, nowMs: number): number | undefined {
  if (!isDatabaseError(error) || error.code !== '23514' || !error.message.startsWith('no partition')) return undefined;
  const day = /\((\d{4}-\d\d-\d\d)\)/.exec(error.detail ?? '')?.[1];
  return day === undefined ? nowMs : Date.parse(day);
}

/**
 * Data exceptions (22), limits of the program such as an index row's size or nesting (54), and columns that cannot take a
 * value. Everything else, a violated key included, says something about the store: the events stay in SQS.
 */
const isFaultOfData = (error: unknown): error is DatabaseError =>
  isDatabaseError(error) && /^(22...|54...|23502)$/.test(error.code);
