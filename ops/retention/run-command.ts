import type { Kysely } from 'kysely';
import type { RetentionCommand } from './parse-arguments.ts';
import { retentionPolicies, youngestToGo } from '../../core/contexts/retention/policies.ts';
import { readMonthsToGo } from '../../core/contexts/retention/reads.ts';
import { placeHold, releaseHold } from '../../core/contexts/retention/writes.ts';
import type { Database } from '../../core/database/tables.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import type { Said } from '../operator-command.ts';

export interface RetentionDependencies {
  db: Kysely<Database>;
  clock: Clock;
}

/** Rejects with `resource.not_found`, `operators.refused`, or what the servers say. */
export async function runRetentionCommand(deps: RetentionDependencies, command: RetentionCommand): Promise<Said> {
  switch (command.kind) {
    case 'plan':
      return await plan(deps);
    case 'runs':
      return await listRuns(deps);
    case 'holds':
      return await listHolds(deps);
    case 'hold': {
      const { dataClass, holdId } = command;
      await placeHold(deps.db, command, deps.clock.now());
      return { value: { holdId, dataClass }, text: `${dataClass} is kept by ${holdId}` };
    }
    case 'release': {
      const { holdId } = command;
      const dataClass = await releaseHold(deps.db, command, deps.clock.now());
      return { value: { holdId, dataClass }, text: `${dataClass} is no longer kept by ${holdId}` };
    }
    default:
      return command satisfies never;
  }
}

const readHolds = async (db: Kysely<Database>) =>
  await db
    .selectFrom('legal_holds')
    .select(['hold_id as id', 'data_class as dataClass', 'reason', 'placed_by as by', 'placed_at as at'])
    .where('released_at', 'is', null)
    .orderBy('hold_id')
    .execute();

/** One class after the other: each of them is read as a whole. */
async function plan({ db, clock }: RetentionDependencies): Promise<Said> {
  const now = clock.now();
  const holds = await readHolds(db);
  const classes = [];
  for (const policy of retentionPolicies) {
    const { dataClass, keepMonths } = policy;
    const months = (await readMonthsToGo(db, policy, now)).map(({ month, rows }) => ({ month, rows }));
    const heldBy = holds.filter((hold) => hold.dataClass === dataClass).map(({ id }) => id);
    classes.push({ dataClass, keepMonths, youngestToGo: youngestToGo(policy, now), heldBy, months });
  }
  const text = classes.map(({ dataClass, keepMonths, youngestToGo: youngest, heldBy, months }) =>
    [
      `${dataClass}: ${keepMonths} months are kept, up to ${youngest} may go`,
      ...heldBy.map((hold) => `  kept by ${hold}`),
      ...months.map(({ month, rows }) => `  ${month}  ${rows} rows`),
    ].join('\n'),
  );
  return { value: { classes }, text: text.join('\n') };
}

async function listRuns({ db }: RetentionDependencies): Promise<Said> {
  const runs = await db
    .selectFrom('retention_runs')
    .select(['data_class as dataClass', 'month', 'state', 'rows', 'manifest', 'reason', 'updated_at as updatedAt'])
    .orderBy('data_class')
    .orderBy('month')
    .limit(1_000)
    .execute();
  const text = runs.map(({ dataClass, month, state, rows, reason }) =>
    [dataClass, month, state, rows === null ? '' : `${rows} rows`, reason ?? ''].join('  ').trimEnd(),
  );
  return { value: { runs }, text: [...text, `${runs.length} months`].join('\n') };
}

async function listHolds({ db }: RetentionDependencies): Promise<Said> {
  const holds = await readHolds(db);
  const text = holds.map(({ id, dataClass, by, reason }) => `${id}  ${dataClass}  ${by}: ${reason}`);
  return { value: { holds }, text: [...text, `${holds.length} holds`].join('\n') };
}
