import type { Registry } from '../../core/events/registry.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import type { Said } from '../operator-command.ts';
import { browse } from './browse.ts';
import { type CarryOutDependencies, carryOut } from './carry-out.ts';
import { classify } from './classify.ts';
import { MESSAGES_CONSIDERED, findItems } from './find-items.ts';
import type { DeadItem, ItemFilter } from './items.ts';
import type { DlqCommand } from './parse-arguments.ts';
import { countOf, planRedrive } from './plan.ts';
import { presentItems, presentRun } from './present.ts';
import { type Progress, progressOf, readEnds, removeEnded } from './remove-ended.ts';
import { startRun } from './start-run.ts';

export interface DlqDependencies extends CarryOutDependencies {
  registry: Registry;
}

const LOOK_AGAIN_MS = 250;

/** Rejects with `resource.not_found` for an id or a run that is not there, and with what the servers say. */
export async function runDlqCommand(deps: DlqDependencies, command: DlqCommand): Promise<Said> {
  switch (command.kind) {
    case 'list': {
      const { items, letters } = await findItems(deps, command.filter);
      return { value: { items, queues: letters }, text: presentItems(items, letters), complete: true };
    }
    case 'show':
      return await show(deps, command.id);
    case 'plan': {
      const { items } = await findItems(deps, command.filter);
      const planned = await planRedrive(deps, items, command.include);
      return {
        value: { dryRun: true, ...countOf(planned), items: planned },
        text: presentItems(planned, []),
        complete: true,
      };
    }
    case 'redrive': {
      const { items } = await findItems(deps, command.filter);
      const planned = await planRedrive(deps, items, command.include);
      const chosen = planned.filter(({ chosen }) => chosen);
      const left = countOf(planned);
      if (chosen.length === 0) {
        const nothing = { run: null, ...left };
        return { value: nothing, text: presentItems(planned, []), complete: true };
      }
      const run = await startRun(deps.db, { ...command, items: chosen }, deps.clock.now());
      return await proceed(deps, run, command, command.waitMs, left);
    }
    case 'resume': {
      const found = await deps.db
        .selectFrom('redrive_runs')
        .selectAll()
        .where('id', '=', command.runId)
        .executeTakeFirst();
      if (found === undefined) throw new LanewayError('resource.not_found', `there is no run ${command.runId}`);
      const requester = { by: found.requested_by, reason: found.reason };
      return await proceed(deps, found.id, { perSecond: found.per_second, requester }, command.waitMs, {});
    }
    default:
      return command satisfies never;
  }
}

/** Carries out what is pending, waits for the ends, and removes the letters of what ended well. */
async function proceed(
  deps: DlqDependencies,
  run: string,
  how: Parameters<typeof carryOut>[2],
  waitMs: number,
  left: object,
): Promise<Said> {
  const { db, clock } = deps;
  await carryOut(deps, run, how);
  const deadline = clock.now() + waitMs;
  let ends = await readEnds(deps, run);
  while (progressOf(ends).open > 0 && clock.now() < deadline) {
    await clock.sleep(LOOK_AGAIN_MS);
    ends = await readEnds(deps, run);
  }
  const removed = await removeEnded(deps, ends);
  const progress = progressOf(ends);
  const complete = progress.pending === 0 && progress.open === 0;
  if (complete)
    await db
      .updateTable('redrive_runs')
      .set({ finished_at: new Date(clock.now()) })
      .where('id', '=', run)
      .where('finished_at', 'is', null)
      .execute();
  const value: { run: string; complete: boolean; lettersRemoved: number } & Progress = {
    run,
    complete,
    ...left,
    ...progress,
    lettersRemoved: removed,
  };
  return { value, text: presentRun(value), complete };
}

const everything: ItemFilter = {
  ...{ queue: undefined, handler: undefined, merchantId: undefined, code: undefined },
  ...{ since: undefined, until: undefined, eventId: undefined },
  limit: 1_000,
};

async function show(deps: DlqDependencies, id: string): Promise<Said> {
  const { items } = await findItems(deps, { ...everything, ...partsOf(id) });
  const item = items.find((each) => each.id === id);
  if (item === undefined) throw new LanewayError('resource.not_found', `nothing that was given up has the id ${id}`);
  const classified = await classify(deps.db, deps.registry, item);
  const value = { ...item, ...classified, body: await bodyOf(deps, item) };
  return { value, text: JSON.stringify(value, null, 2), complete: true };
}

/** An id names its merchant or its queue, which saves looking everywhere. */
function partsOf(id: string): Partial<ItemFilter> {
  try {
    const parts: unknown = JSON.parse(Buffer.from(id.slice(2), 'base64url').toString('utf8'));
    const first: unknown = Array.isArray(parts) ? parts[0] : undefined;
    if (typeof first !== 'string') return {};
    return id.startsWith('m-') ? { queue: first } : { merchantId: first };
  } catch {
    // Not one of ours: then nothing has it.
    return {};
  }
}

/** As it was received. */
async function bodyOf(deps: DlqDependencies, item: DeadItem): Promise<string | null> {
  if (item.kind === 'message') {
    const { queue } = item;
    const browsed = await browse(deps.sqs, { queue, url: deps.queueUrl(queue), limit: MESSAGES_CONSIDERED });
    await browsed.handBack();
    return browsed.messages.find(({ messageId }) => messageId === item.messageId)?.body ?? null;
  }
  const row = await deps.db
    .selectFrom('inbox')
    .select('body')
    .where('merchant_id', '=', item.merchantId)
    .where('day', '=', item.day)
    .where('mseq', '=', item.mseq)
    .executeTakeFirst();
  return row?.body.toString('utf8') ?? null;
}
