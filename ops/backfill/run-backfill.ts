import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { recordAction } from '../../core/operations/record-action.ts';
import {
  type BackfillScope,
  type PageEnd,
  findMissed,
  requestBackfill,
} from '../../core/operations/request-backfill.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import type { Said } from '../operator-command.ts';
import type { BackfillCommand } from './parse-arguments.ts';

export interface BackfillDependencies {
  db: Kysely<Database>;
  registry: Registry;
  clock: Clock;
  /** Best effort: a lane that was made due is found by the sweeper. */
  wake(merchantIds: readonly string[]): Promise<unknown>;
}

interface Backfilled {
  handler: string;
  dryRun: boolean;
  /** Events that the handler missed and that are, or were, to be run. */
  missed: number;
  /** Left alone, since the handler keeps an order and has applied newer ones of their merchants. */
  outOfOrder: number;
  done: number;
  skipped: number;
  dead: number;
  complete: boolean;
}

const LOOK_AGAIN_MS = 100;

/**
 * Page after page, each carried out before the next is asked for, so that no lane has more in hand than a page. Interrupted
 * anywhere, it can be run again: what was asked for is carried out, what was not is found.
 *
 * Rejects with `operators.refused` while the handler does not count yet: it would go on missing events.
 */
export async function runBackfill(deps: BackfillDependencies, command: BackfillCommand): Promise<Said> {
  const { db, clock } = deps;
  const { eventType, keepsOrder } = describe(deps.registry, command.handler);
  await refuseUnlessStarted(db, command.handler);
  const { handler, merchantId, carryOut } = command;
  const includeOutOfOrder = command.includeOutOfOrder || !keepsOrder;
  const total = { handler, dryRun: carryOut === undefined, missed: 0, outOfOrder: 0, done: 0, skipped: 0, dead: 0 };
  const said = (complete: boolean): Said => {
    const value: Backfilled = { ...total, complete };
    return { value, text: present(value), complete };
  };
  if (carryOut !== undefined)
    await db.transaction().execute((trx) => {
      const { requester } = carryOut;
      const after = { handler, includeOutOfOrder };
      const action = { action: 'backfill', merchantId: merchantId ?? null, requester, after };
      return recordAction(trx, action, clock.now());
    });
  for (const day of await readDays(db)) {
    const scope: BackfillScope = { handler, eventType, day, merchantId };
    let after: PageEnd | undefined;
    do {
      if (carryOut === undefined) {
        const page = await findMissed(db, scope, after);
        const left = includeOutOfOrder ? 0 : page.missed.filter(({ newerApplied }) => newerApplied).length;
        total.missed += page.missed.length - left;
        total.outOfOrder += left;
        after = page.end;
        continue;
      }
      const { requester, waitMs } = carryOut;
      const page = await requestBackfill(db, scope, after, { includeOutOfOrder, requester }, clock.now());
      total.missed += page.commands.length;
      total.outOfOrder += page.left;
      if (page.commands.length > 0) await deps.wake(page.merchants);
      const ends = await awaitEnds(deps, page.commands, waitMs);
      for (const end of ends) total[end] += 1;
      if (ends.length < page.commands.length) return said(false);
      after = page.end;
    } while (after !== undefined);
  }
  return said(true);
}

/** Only where nothing depends on the order may what is older be run after what is newer. */
function describe(registry: Registry, name: string): { eventType: string; keepsOrder: boolean } {
  for (const event of registry.values())
    for (const handler of event.handlers)
      if (handler.name === name) return { eventType: event.name, keepsOrder: handler.holds !== 'event' };
  throw new LanewayError('resource.not_found', `there is no handler ${name}`);
}

async function refuseUnlessStarted(db: Kysely<Database>, handler: string): Promise<void> {
  const row = await db.selectFrom('handler_starts').selectAll().where('handler', '=', handler).executeTakeFirst();
  if (row?.retired_at === null) return;
  throw new LanewayError(
    'operators.refused',
    `${handler} does not count yet: not every worker has it. A minute after the rollout it does`,
  );
}

/** Days of which the inbox still has something. */
async function readDays(db: Kysely<Database>): Promise<readonly string[]> {
  const { rows } = await sql<{ day: string }>`
    select to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
    from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'inbox'::regclass order by 1
  `.execute(db);
  return rows.map(({ day }) => day);
}

type End = 'done' | 'skipped' | 'dead';

async function awaitEnds(
  { db, clock }: BackfillDependencies,
  commands: readonly string[],
  waitMs: number,
): Promise<readonly End[]> {
  const deadline = clock.now() + waitMs;
  for (;;) {
    const rows = await db
      .selectFrom('redrives')
      .select('result')
      .where('id', '=', sql<string>`any(${commands}::text[])`)
      .where('finished_at', 'is not', null)
      .execute();
    if (rows.length === commands.length || clock.now() >= deadline)
      return rows.map(({ result }): End => (result === 'done' ? 'done' : result === 'skip' ? 'skipped' : 'dead'));
    await clock.sleep(LOOK_AGAIN_MS);
  }
}

function present({ handler, dryRun, missed, outOfOrder, done, skipped, dead, complete }: Backfilled): string {
  const left =
    outOfOrder === 0
      ? ''
      : `\n${outOfOrder} more belong to merchants for whom it has applied newer ones: --include-out-of-order runs them too`;
  if (dryRun) return `${handler} missed ${missed} events; --yes runs it for them${left}`;
  const ends = `${done} done, ${skipped} skipped, ${dead} given up`;
  return `${handler} missed ${missed} events: ${ends}${complete ? '' : '; not all were carried out in time'}${left}`;
}
