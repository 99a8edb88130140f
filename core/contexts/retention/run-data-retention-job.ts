import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { defineHandler, done, skip } from '../../events/handler.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { chunkKeyOf } from './archive-chunk.ts';
import { type DataRetentionJobTrigger, archiveDestination } from './events.ts';
import { policyOf, youngestToGo } from './policies.ts';
import { readMonthsToGo } from './reads.ts';

/**
 * Decides what becomes of a month: too young is refused, held stays, a dry run is counted, and everything else is for the
 * archive. Nothing goes here: the purge is part of the commit that records a verified archive.
 */
export const runDataRetentionJob = defineHandler<DataRetentionJobTrigger>({
  async handle(event, context) {
    const { dataClass, month, dryRun = false } = event.payload;
    const policy = policyOf(dataClass);
    if (policy === undefined || month > youngestToGo(policy, context.now))
      throw new LanewayError('payload.invalid', `${dataClass} of ${month} has not reached the end of its retention`);
    const { trx, now } = context;
    const before = await trx
      .selectFrom('retention_runs')
      .select(['state', 'rows', 'chunks'])
      .where('data_class', '=', dataClass)
      .where('month', '=', month)
      .executeTakeFirst();
    // A month of rows may have got some since, and is looked at again.
    if (before?.state === 'purged' && policy.byRow === undefined) return skip('purged already');
    if (policy.byRow === undefined && !(await hasPartition(trx, dataClass, month)))
      return skip('its rows have no partition of their own');
    const hold = await trx
      .selectFrom('legal_holds')
      .select('hold_id')
      .where('data_class', '=', dataClass)
      .where('released_at', 'is', null)
      .executeTakeFirst();
    if (hold !== undefined) {
      await record(trx, { dataClass, month, state: 'held', reason: hold.hold_id }, now);
      return skip(`legal hold ${hold.hold_id}`);
    }
    if (dryRun) {
      const months = await readMonthsToGo(trx, policy, now);
      const rows = months.find((each) => each.month === month)?.rows ?? 0;
      await record(trx, { dataClass, month, state: 'dry-run', rows }, now);
      return done;
    }
    const rows = before?.state === 'dry-run' ? undefined : (before?.rows ?? undefined);
    await record(trx, { dataClass, month, state: 'archiving', ...(rows === undefined ? {} : { rows }) }, now);
    const wanted = { dataClass, month };
    const chunk = { ...wanted, chunk: (before?.chunks ?? 0) + 1, after: null };
    context.intend(event, {
      destination: archiveDestination,
      ...(policy.byRow === undefined
        ? { objectKey: `${dataClass}/${month}`, desired: wanted }
        : { objectKey: chunkKeyOf(chunk), desired: chunk }),
    });
    return done;
  },
});

export interface RunChange {
  dataClass: string;
  month: string;
  state: 'dry-run' | 'held' | 'archiving' | 'purged' | 'failed';
  rows?: number;
  manifest?: string;
  reason?: string;
}

export async function record(trx: Transaction<Database>, change: RunChange, nowMs: number): Promise<void> {
  const now = new Date(nowMs);
  const state = {
    state: change.state,
    rows: change.rows ?? null,
    manifest: change.manifest ?? null,
    reason: change.reason ?? null,
    updated_at: now,
  };
  await trx
    .insertInto('retention_runs')
    .values({ data_class: change.dataClass, month: change.month, started_at: now, ...state })
    .onConflict((conflict) => conflict.columns(['data_class', 'month']).doUpdateSet(state))
    .execute();
}

/** Adds a chunk to what is recorded of its month. Resolves with the rows that have gone of it so far. */
export async function recordChunk(
  trx: Transaction<Database>,
  { dataClass, month, rows, chunk, manifest }: Omit<RunChange, 'state'> & { rows: number; chunk: number },
  nowMs: number,
): Promise<number> {
  const recorded = await trx
    .updateTable('retention_runs')
    .set({
      rows: sql<number>`coalesce(rows, 0) + ${rows}`,
      chunks: sql<number>`greatest(chunks, ${chunk})`,
      manifest: manifest ?? null,
      updated_at: new Date(nowMs),
    })
    .where('data_class', '=', dataClass)
    .where('month', '=', month)
    .returning('rows')
    .executeTakeFirstOrThrow();
  return recorded.rows ?? 0;
}

/** A row that was dated ahead of the partitions lies with all others that were. */
async function hasPartition(trx: Transaction<Database>, dataClass: string, month: string): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass(${partitionOf(dataClass, month)}) is not null as there
  `.execute(trx);
  return rows[0]?.there === true;
}

export const partitionOf = (dataClass: string, month: string): string => `${dataClass}_${month.replace('-', '')}`;
