import { DeleteMessageCommand } from '@aws-sdk/client-sqs';
import { sql } from 'kysely';
import type { CarryOutDependencies } from './carry-out.ts';
import { type HeldMessage, browse } from './browse.ts';
import { type RunItem, readItems } from './start-run.ts';

/** Where the items of a run stand; they add up to the run. */
export interface Progress {
  pending: number;
  /** Asked for, and not over yet. */
  open: number;
  done: number;
  /** Given up again: a new dead letter, or parked again. */
  dead: number;
  nothing: number;
  failed: number;
  /** Messages that were sent back to their queue. */
  sentBack: number;
}

export type Ended = RunItem & { end: keyof Progress };

/** What became of each item, by what Postgres says of its command or its intent. */
export async function readEnds({ db }: Pick<CarryOutDependencies, 'db'>, runId: string): Promise<readonly Ended[]> {
  const items = await readItems(db, runId);
  const { rows: commands } = await sql<{ ordinal: number; result: string | null; finished: boolean }>`
    select i.ordinal, r.result, r.finished_at is not null as finished
    from redrive_items i join redrives r on r.id = 'run-' || i.run_id || '-' || i.ordinal where i.run_id = ${runId}
  `.execute(db);
  const { rows: intents } = await sql<{ ordinal: number; state: string }>`
    select i.ordinal, n.state from redrive_items i
    join intents n on n.merchant_id = i.merchant_id and n.object_key = i.object_key
      and n.destination = split_part(i.handler, '@', 2)
    where i.run_id = ${runId} and i.kind = 'effect'
  `.execute(db);
  const commandOf = new Map(commands.map((row) => [row.ordinal, row]));
  const intentOf = new Map(intents.map((row) => [row.ordinal, row.state]));
  return items.map((item) => ({ ...item, end: endOf(item, commandOf.get(item.ordinal), intentOf.get(item.ordinal)) }));
}

function endOf(
  item: RunItem,
  command: { result: string | null; finished: boolean } | undefined,
  intent: string | undefined,
): keyof Progress {
  if (item.state !== 'requested') return item.state;
  switch (item.kind) {
    case 'message':
      return 'sentBack';
    case 'effect':
      return intent === 'done' || intent === 'dead' ? intent : 'open';
    case 'handler':
      if (command?.finished !== true) return 'open';
      if (command.result === 'done' || command.result === 'skip') return 'done';
      return command.result === 'nothing to redrive' ? 'nothing' : 'dead';
    default:
      return item.kind satisfies never;
  }
}

export function progressOf(ends: readonly Ended[]): Progress {
  const progress: Progress = { pending: 0, open: 0, done: 0, dead: 0, nothing: 0, failed: 0, sentBack: 0 };
  for (const { end } of ends) progress[end] += 1;
  return progress;
}

const letterOf = (names: {
  merchantId: string | null | undefined;
  eventId: string | null | undefined;
  handler: string | undefined;
}): string => JSON.stringify([names.merchantId, names.eventId, names.handler]);

const MESSAGES_CONSIDERED = 1_000;

/**
 * Removes from the DLQs what a run brought to a good end: every dead letter of such a pair, also of earlier tries. Postgres
 * has the end on record before this looks, so a crash leaves a letter too many and never one too few. Resolves with how
 * many were removed.
 */
export async function removeEnded(deps: CarryOutDependencies, ends: readonly Ended[]): Promise<number> {
  const over = ends.filter(({ kind, end }) => kind !== 'message' && (end === 'done' || end === 'nothing'));
  // One event can have several objects at one destination, and their letters look the same: they go when all are over.
  const unfinished = new Set(ends.filter((item) => !over.includes(item)).map(letterOf));
  const keys = new Set(over.map(letterOf).filter((key) => !unfinished.has(key)));
  let removed = 0;
  for (const queue of new Set(over.map((item) => item.queue))) {
    const url = deps.queueUrl(queue);
    const remove = async (messages: readonly HeldMessage[]) => {
      for (const { merchantId, eventId, attributes, receiptHandle } of messages) {
        if (!keys.has(letterOf({ merchantId, eventId, handler: attributes['handler'] }))) continue;
        await deps.sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: receiptHandle }));
        removed += 1;
      }
    };
    const browsed = await browse(deps.sqs, { queue, url, limit: MESSAGES_CONSIDERED }, remove);
    await browsed.handBack();
  }
  return removed;
}
