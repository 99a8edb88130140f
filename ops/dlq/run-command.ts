import type { Registry } from '../../core/events/registry.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import type { Said } from '../operator-command.ts';
import { browse } from './browse.ts';
import { type CarryOutDependencies, carryOut } from './carry-out.ts';
import { classify } from './classify.ts';
import { type Letters, MESSAGES_CONSIDERED, findItem, findItems } from './find-items.ts';
import type { DeadItem } from './items.ts';
import type { DlqCommand } from './parse-arguments.ts';
import { countOf, planRedrive, shownOf } from './plan.ts';
import { presentItems, presentRun } from './present.ts';
import { progressOf, readEnds, removeEnded } from './remove-ended.ts';
import { startRun } from './start-run.ts';

export interface DlqDependencies extends CarryOutDependencies {
  registry: Registry;
}

const LOOK_AGAIN_MS = 250;

/** Rejects with `resource.not_found` for an id or a run that is not there, and with what the servers say. */
export async function runDlqCommand(deps: DlqDependencies, command: DlqCommand): Promise<Said> {
  switch (command.kind) {
    case 'list': {
      const { items, letters, more, next } = await findItems(deps, command.filter);
      const value = { items, queues: letters, more, next };
      return { value, text: presentItems(items, { letters, more, next }), complete: true };
    }
    case 'show':
      return await show(deps, command.id);
    case 'plan': {
      const { planned, letters, more, next } = await planRedrive(deps, command.filter, command.include);
      const items = shownOf(planned, command.filter.limit);
      const value = { dryRun: true, ...countOf(planned), items, more, next };
      return { value, text: presentItems(items, { letters: unseen(letters), more, next }), complete: true };
    }
    case 'redrive': {
      const { planned, letters, more, next } = await planRedrive(deps, command.filter, command.include);
      const chosen = planned.filter((item) => item.chosen);
      const left = { ...countOf(planned), more, next };
      if (chosen.length === 0) {
        const items = shownOf(planned, command.filter.limit);
        const text = presentItems(items, { letters: unseen(letters), more, next });
        return { value: { run: null, ...left }, text, complete: !more };
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
      return await proceed(deps, found.id, { perSecond: found.per_second, requester }, command.waitMs, {
        more: false,
        next: null,
      });
    }
    default:
      return command satisfies never;
  }
}

/** Of a queue that was not seen whole: a message that no redrive knows of may lie there. */
const unseen = (letters: readonly Letters[]) => letters.filter(({ partial }) => partial);

/** What a run does not take. */
interface Left {
  more: boolean;
  next: string | null;
}

/**
 * Carries out what is pending, waits for the ends, and removes the letters of what ended well. It is complete when its run is
 * and nothing is left that it has not looked at.
 */
async function proceed(
  deps: DlqDependencies,
  run: string,
  how: Parameters<typeof carryOut>[2],
  waitMs: number,
  left: Left,
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
  const over = progress.pending === 0 && progress.open === 0;
  if (over)
    await db
      .updateTable('redrive_runs')
      .set({ finished_at: new Date(clock.now()) })
      .where('id', '=', run)
      .where('finished_at', 'is', null)
      .execute();
  const complete = over && !left.more;
  const value = { run, complete, ...left, ...progress, lettersRemoved: removed };
  const text = presentRun({ run, over, ...progress, lettersRemoved: removed }, left);
  return { value, text, complete };
}

async function show(deps: DlqDependencies, id: string): Promise<Said> {
  const item = await findItem(deps, id);
  if (item === undefined) throw new LanewayError('resource.not_found', `nothing that was given up has the id ${id}`);
  const classified = await classify(deps.db, deps.registry, item);
  const value = { ...item, ...classified, body: await bodyOf(deps, item) };
  return { value, text: JSON.stringify(value, null, 2), complete: true };
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
