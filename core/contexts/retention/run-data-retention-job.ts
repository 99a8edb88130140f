import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { defineHandler, done, skip } from '../../events/handler.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { type DataRetentionJobTrigger, archiveDestination } from './events.ts';
import { retentionPolicies, youngestToGo } from './policies.ts';

/**
 * Decides what becomes of a month: too young is refused, held stays, a dry run is counted, and everything else is for the
 * archive. Nothing goes here: the purge is part of the commit that records a verified archive.
 */
export const runDataRetentionJob = defineHandler<DataRetentionJobTrigger>({
  async handle(event, context) {
    const { dataClass, month, dryRun = false } = event.payload;
    const policy = retentionPolicies.find((each) => each.dataClass === dataClass);
    if (policy === undefined || month > youngestToGo(policy, context.now))
      throw new LanewayError('payload.invalid', `${dataClass} of ${month} has not reached the end of its retention`);
    const { trx, now } = context;
    const before = await trx
      .selectFrom('retention_runs')
      .select('state')
      .where('data_class', '=', dataClass)
      .where('month', '=', month)
      .executeTakeFirst();
    if (before?.state === 'purged') return skip('purged already');
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
      await record(trx, { dataClass, month, state: 'dry-run', rows: await countMonth(trx, dataClass, month) }, now);
      return done;
    }
    await record(trx, { dataClass, month, state: 'archiving' }, now);
    context.intend(event, {
      destination: archiveDestination,
      objectKey: `${dataClass}/${month}`,
      desired: { dataClass, month },
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

export const partitionOf = (dataClass: string, month: string): string => `${dataClass}_${month.replace('-', '')}`;

async function countMonth(trx: Transaction<Database>, dataClass: string, month: string): Promise<number> {
  const part = partitionOf(dataClass, month);
  const { rows } = await sql<{ present: boolean }>`select to_regclass(${part}) is not null as present`.execute(trx);
  if (rows[0]?.present !== true) return 0;
  const counted = await sql<{ n: number }>`select count(*) as n from ${sql.table(part)}`.execute(trx);
  return counted.rows[0]?.n ?? 0;
}
