import { DeleteMessageCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Requester } from '../../core/operations/record-action.ts';
import { requestRedriveIn } from '../../core/operations/request-redrive.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import { isInfrastructureError } from '../../core/runtime/errors.ts';
import { type TokenBucket, refill, take, tokensAt, wholeTokens } from '../../core/runtime/token-bucket.ts';
import { type HeldMessage, browse } from './browse.ts';
import { type RunItem, readItems } from './start-run.ts';

export interface CarryOutDependencies {
  db: Kysely<Database>;
  sqs: SQSClient;
  clock: Clock;
  /** By the specification's names. */
  queueUrl(name: string): string;
  /** The queue whose DLQ it is. */
  sourceOf(deadLetterQueue: string): string;
  /** Best effort: a lane that was made due is found by the sweeper. */
  wake(merchantId: string): Promise<unknown>;
}

/** How many messages of a DLQ are looked through for those that a run names. */
const MESSAGES_CONSIDERED = 1_000;

/**
 * Carries out what of a run is still pending, in its order and at its pace. The command of an accepted event is a row that
 * the lane's actor takes up, recorded in the transaction that ticks the item off. What was never accepted goes back to its
 * queue and leaves the DLQ only after that. Interrupted anywhere, it can be called again.
 *
 * An item whose lane is locked for too long stays pending, and the others go on.
 */
export async function carryOut(
  deps: CarryOutDependencies,
  runId: string,
  run: { perSecond: number; requester: Requester },
): Promise<void> {
  const pace = createPace(deps.clock, run.perSecond);
  const pending = (await readItems(deps.db, runId)).filter(({ state }) => state === 'pending');
  for (const item of pending) {
    if (item.kind === 'message') continue;
    await pace();
    try {
      await command(deps, runId, item, run.requester);
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
    }
  }
  const byQueue = Map.groupBy(
    pending.filter(({ kind }) => kind === 'message'),
    ({ queue }) => queue,
  );
  for (const [queue, items] of byQueue) await sendBack(deps, runId, queue, items, pace);
}

/** Resolves when the next may go: one at once, and then so many a second. */
function createPace(clock: Clock, perSecond: number): () => Promise<void> {
  let bucket: TokenBucket = { perSecond, tokens: 1, at: clock.now() };
  return async () => {
    bucket = refill(bucket, clock.now());
    if (wholeTokens(bucket) === 0) {
      await clock.sleep(Math.max(1, tokensAt(bucket, 1) - clock.now()));
      bucket = refill(bucket, clock.now());
    }
    bucket = take(bucket, 1);
  };
}

/** 55P03: a window holds the lane, or somebody else the effect lane. */
const isLockTimeout = (error: unknown): boolean =>
  isInfrastructureError(error) && error instanceof Error && 'code' in error && error.code === '55P03';

async function command(deps: CarryOutDependencies, runId: string, item: RunItem, requester: Requester): Promise<void> {
  const { merchantId, eventId, mseq, day, handler } = item;
  if (merchantId === null || eventId === null || mseq === null || day === null)
    throw new Error(`item ${item.ordinal} of run ${runId} names no event`);
  const request = { id: commandId(runId, item), merchantId, eventId, mseq, day, handler, requester };
  const requested = await deps.db.transaction().execute(async (trx) => {
    const now = deps.clock.now();
    const found = await requestRedriveIn(trx, request, now);
    await tickOff(trx, runId, item, found ? 'requested' : 'nothing', found ? null : 'it ended well meanwhile', now);
    return found;
  });
  if (requested && item.kind === 'handler') await deps.wake(merchantId);
}

export const commandId = (runId: string, { ordinal }: Pick<RunItem, 'ordinal'>): string => `run-${runId}-${ordinal}`;

async function tickOff(
  db: Kysely<Database> | Transaction<Database>,
  runId: string,
  { ordinal }: RunItem,
  state: 'requested' | 'nothing' | 'failed',
  result: string | null,
  nowMs: number,
): Promise<void> {
  await db
    .updateTable('redrive_items')
    .set({ state, result, updated_at: new Date(nowMs) })
    .where('run_id', '=', runId)
    .where('ordinal', '=', ordinal)
    .execute();
}

/**
 * Send, record, delete, for each. The deduplication id is new to the queue and the same for every try of the item, so that
 * a run that is resumed within five minutes of a send does not send again; later, the event's own id is what makes it one.
 */
async function sendBack(
  deps: CarryOutDependencies,
  runId: string,
  queue: string,
  items: readonly RunItem[],
  pace: () => Promise<void>,
): Promise<void> {
  const { db, sqs, clock } = deps;
  const url = deps.queueUrl(queue);
  const source = deps.queueUrl(deps.sourceOf(queue));
  const wanted = new Map(items.map((item) => [item.messageId, item]));
  const look = async (messages: readonly HeldMessage[]) => {
    for (const message of messages) {
      const item = wanted.get(message.messageId);
      if (item === undefined) continue;
      await pace();
      await sqs.send(returned(message, source, commandId(runId, item)));
      await tickOff(db, runId, item, 'requested', null, clock.now());
      await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.receiptHandle }));
      wanted.delete(message.messageId);
    }
  };
  const browsed = await browse(sqs, { queue, url, limit: MESSAGES_CONSIDERED }, look);
  await browsed.handBack();
  // What was not seen may lie behind what stays, so it is only gone if all was seen.
  if (browsed.partial) return;
  for (const item of wanted.values())
    await tickOff(db, runId, item, 'nothing', 'it is not in the queue any more', clock.now());
}

const returned = (message: HeldMessage, url: string, deduplicationId: string): SendMessageCommand =>
  new SendMessageCommand({
    QueueUrl: url,
    MessageBody: message.body,
    MessageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
    ),
    ...(url.endsWith('.fifo')
      ? { MessageGroupId: message.groupId ?? 'undecodable', MessageDeduplicationId: deduplicationId }
      : {}),
  });
