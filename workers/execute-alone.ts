import { sql } from 'kysely';
import { deadLetterRow } from '../core/events/dead-letter.ts';
import type { HandlerDefinition } from '../core/events/definition.ts';
import { type Outcome, skip } from '../core/events/handler.ts';
import {
  LanewayError,
  coerceError,
  isInfrastructureError,
  isStatementTimeout,
  recordError,
} from '../core/runtime/errors.ts';
import { backoffMs } from '../core/runtime/retry.ts';
import type { Delivery } from './deliveries.ts';
import {
  type ExecuteDependencies,
  contextFor,
  handleOne,
  heldKey,
  moduleOf,
  newDelivery,
  settlePair,
} from './execute.ts';
import type { LaneTransaction } from './lane-transaction.ts';
import { type Ledger, emptyLedger } from './settle.ts';
import type { Pair } from './in-hand.ts';
import type { OpenedEvent } from './window.ts';

/** Deaths of a process while running one pair, after which the pair is poison. */
export const MAX_CRASHES = 3;

export interface AloneInput {
  opened: OpenedEvent;
  /** The pair's rows by handler; empty when nothing of the event ran yet. */
  rows: ReadonlyMap<string, Delivery>;
  held: ReadonlySet<string>;
  /** Only this handler's pair, which was set aside or is redriven. */
  only?: string;
  /** The event lies before the cursor: what it held has gone on, or waits behind it. */
  setAside: boolean;
  /** Told what is running, so that whoever ends it from outside can say what was interrupted. */
  running: (pair: Pair | undefined) => void;
  /** In a careful visit: called before each handler. */
  note: ((pair: Pair) => Promise<void>) | undefined;
  /**
   * Where settling the event failed before: writes what one handler decided, for a trial that is taken back, so that the
   * failure is an attempt of the handler whose doing it is.
   */
  trySettling: ((ledger: Ledger) => Promise<void>) | undefined;
  base: { signal: AbortSignal; now: number };
}

export interface AloneResult {
  ledger: Ledger;
  /** The cursor may pass the event. */
  passes: boolean;
  /** The lane must wait for an operator, and why. */
  block?: string;
}

/**
 * Runs one event alone, each handler behind a savepoint, and decides what its outcome means. Infrastructure errors are
 * thrown: they say nothing about the event.
 */
export async function executeAlone(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  input: AloneInput,
): Promise<AloneResult> {
  const { opened, rows, base } = input;
  const result: AloneResult = { ledger: emptyLedger(), passes: true };
  for (const handler of opened.definition.handlers) {
    const row = rows.get(handler.name);
    if (rows.size > 0 && row === undefined) continue;
    const delivery = row ?? newDelivery(opened, handler, base.now);
    const behind = isBehind(input, handler, delivery);
    const due = row === undefined || isDue(row, base.now);
    if (!due || (input.only !== undefined && input.only !== handler.name)) {
      if (behind) result.ledger.deliveries.push({ ...delivery, state: 'behind' });
      else if (row === undefined) result.ledger.deliveries.push(delivery);
      if (handler.holds === 'merchant') result.passes = false;
      continue;
    }
    if (behind) {
      result.ledger.deliveries.push({ ...delivery, state: 'behind' });
      continue;
    }
    if (delivery.verdict !== null) {
      conclude(input, handler, delivery, delivery.verdict, result);
      continue;
    }
    const attempted = await attempt(deps, trx, input, handler, delivery, row !== undefined);
    decide(deps, input, handler, delivery, row !== undefined, attempted, result);
  }
  return result;
}

/**
 * Whether an earlier event of the pair's aggregate is set aside, so that this one must queue. Asked also of pairs that have a
 * row (from a death that was counted, or beside a handler that was ended) and of those whose turn it is not: once the cursor has
 * passed, a pair that is not marked as queueing runs when it is due. A pair that is set aside itself has its place already.
 */
const isBehind = ({ held, setAside }: AloneInput, handler: HandlerDefinition, delivery: Delivery): boolean =>
  !setAside &&
  delivery.state === 'waiting' &&
  delivery.holdKey !== null &&
  held.has(heldKey(handler.name, delivery.holdKey));

/** Settles a pair as an operator said, without running it. */
function conclude(
  { opened, setAside }: AloneInput,
  handler: HandlerDefinition,
  delivery: Delivery,
  verdict: 'skip' | 'dead',
  result: AloneResult,
): void {
  const finish = () => void result.ledger.finished.push(delivery);
  if (verdict === 'dead') return poison(result.ledger, opened, handler, delivery, result, setAside, finish);
  const skipped = { kind: 'skip', reason: 'skipped by an operator' } as const;
  settlePair(result.ledger, opened, handler.name, skipped, delivery.attempt, setAside);
  finish();
}

/** Neither parked nor behind another, and its time has come. */
const isDue = (row: Delivery, now: number): boolean =>
  (row.state === 'waiting' || row.state === 'redrive') && (row.notBefore === null || row.notBefore.getTime() <= now);

type Attempted = Outcome | { kind: 'failed'; error: LanewayError };

async function attempt(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  input: AloneInput,
  handler: HandlerDefinition,
  delivery: Delivery,
  hadRow: boolean,
): Promise<{ end: Attempted; ledger: Ledger }> {
  const ledger = emptyLedger();
  if (delivery.crashes >= MAX_CRASHES) {
    const message = `the worker process died ${delivery.crashes} times while running this`;
    return { end: { kind: 'failed', error: new LanewayError('worker.crashed', message) }, ledger };
  }
  if (input.opened.fault?.code === 'people.erased') return { end: skip('erased'), ledger };
  if (input.opened.fault !== undefined) return { end: { kind: 'failed', error: input.opened.fault }, ledger };
  const savepoint = await trx.savepoint('handler').execute();
  const { timeoutMs } = input.opened.definition;
  const context = contextFor(deps, handler.name, () => ledger, { ...input.base, trx }, timeoutMs);
  const pair = { mseq: delivery.mseq, handler: handler.name };
  await input.note?.(pair);
  input.running(pair);
  try {
    const module = moduleOf(deps, handler.name);
    const outcome = await handleOne(module, handler.name, input.opened.event, context);
    if (input.trySettling !== undefined) {
      const own: AloneResult = { ledger: emptyLedger(), passes: true };
      decide(deps, input, handler, delivery, hadRow, { end: outcome, ledger }, own);
      await trySettling(trx, handler.name, () => input.trySettling?.(own.ledger));
    }
    await savepoint.releaseSavepoint('handler').execute();
    return { end: outcome, ledger };
  } catch (thrown) {
    // The run was ended from outside (deadline, lost lease, shutdown): whoever ended it knows what that means.
    if (input.base.signal.aborted) throw thrown;
    if (isInfrastructureError(thrown)) throw thrown;
    await savepoint.rollbackToSavepoint('handler').execute();
    const error = isStatementTimeout(thrown)
      ? new LanewayError('handler.deadline', `a statement of ${handler.name} ran into its deadline`, {
          retry: 'backoff',
          cause: thrown,
        })
      : coerceError(thrown);
    return { end: { kind: 'failed', error }, ledger: emptyLedger() };
  } finally {
    input.running(undefined);
  }
}

/** Undoes what was written, and with it the locks on what all merchants' outboxes share. */
async function trySettling(
  trx: LaneTransaction,
  handler: string,
  write: () => Promise<void> | undefined,
): Promise<void> {
  await sql`savepoint settling`.execute(trx);
  try {
    await write();
  } catch (error) {
    if (isInfrastructureError(error) || isStatementTimeout(error)) throw error;
    const message = `what ${handler} decided cannot be written: ${coerceError(error).message}`;
    throw new LanewayError('handler.failed', message, { retry: 'backoff', cause: error });
  }
  await sql`rollback to savepoint settling`.execute(trx);
}

function decide(
  deps: ExecuteDependencies,
  input: AloneInput,
  handler: HandlerDefinition,
  delivery: Delivery,
  hadRow: boolean,
  { end, ledger }: { end: Attempted; ledger: Ledger },
  result: AloneResult,
): void {
  const { opened, base } = input;
  const into = result.ledger;
  const finish = () => {
    if (hadRow) into.finished.push(delivery);
  };
  const wait = (changed: Partial<Delivery>) => {
    into.deliveries.push({ ...delivery, ...changed });
    if (delivery.holds === 'merchant') result.passes = false;
  };
  switch (end.kind) {
    case 'done':
    case 'skip':
      settlePair(into, opened, handler.name, end, delivery.attempt + 1, input.setAside);
      into.outbox.push(...ledger.outbox);
      into.intents.push(...ledger.intents);
      finish();
      return;
    case 'snooze':
      wait({ notBefore: new Date(base.now + end.delayMs) });
      return;
    case 'failed': {
      const error = recordError(end.error, base.now);
      const failed: Partial<Delivery> = {
        attempt: delivery.attempt + 1,
        firstError: delivery.firstError ?? error,
        lastError: error,
      };
      const { retry } = opened.definition;
      if (end.error.retry === 'backoff' && delivery.attempt < retry.retries) {
        const delay = backoffMs(delivery.attempt + 1, retry, deps.random());
        wait({ ...failed, notBefore: new Date(base.now + delay) });
        return;
      }
      poison(into, opened, handler, { ...delivery, ...failed }, result, input.setAside, finish);
      return;
    }
    default:
      end satisfies never;
  }
}

/** The end of a pair that will never go through: to the DLQ, or kept for an operator, as its handler declares. */
function poison(
  into: Ledger,
  opened: OpenedEvent,
  handler: HandlerDefinition,
  delivery: Delivery,
  result: AloneResult,
  setAside: boolean,
  finish: () => void,
): void {
  const last = delivery.lastError;
  if (last === null) throw new Error('a poison delivery has an error');
  if (handler.onPoison === 'keep' && delivery.state !== 'redrive' && delivery.verdict === null) {
    into.deliveries.push({ ...delivery, state: 'parked', notBefore: null });
    if (delivery.holds === 'merchant') {
      result.passes = false;
      result.block = `${handler.name} gave up on event ${opened.row.eventId}: ${last.code}`;
    }
    return;
  }
  settlePair(into, opened, handler.name, { kind: 'dead', reason: last.code }, delivery.attempt, setAside);
  into.outbox.push(
    deadLetterRow({
      merchantId: opened.event.merchantId,
      eventId: opened.row.eventId,
      eventType: opened.row.eventType,
      sourceQueue: opened.row.sourceQueue,
      deadLetterQueue: opened.definition.deadLetterQueue,
      handler: handler.name,
      correlationId: opened.row.correlationId,
      attempts: delivery.attempt,
      first: delivery.firstError ?? last,
      last,
      ordinal: delivery.state === 'redrive' ? delivery.createdAt.getTime() : 0,
      body: Buffer.from(opened.row.body),
      sealed: opened.row.keyId !== null,
      reference: { day: opened.row.day, mseq: opened.row.mseq },
    }),
  );
  finish();
}

/** A pair whose run was ended by its deadline: the attempt is recorded in a transaction of its own. */
export function recordDeadline(
  deps: ExecuteDependencies,
  input: AloneInput,
  pair: Pair,
  error: LanewayError,
): AloneResult {
  const { opened, rows, base } = input;
  const result: AloneResult = { ledger: emptyLedger(), passes: true };
  for (const handler of opened.definition.handlers) {
    const row = rows.get(handler.name);
    if (rows.size > 0 && row === undefined) continue;
    const delivery = row ?? newDelivery(opened, handler, base.now);
    if (handler.name === pair.handler) {
      const end = { end: { kind: 'failed', error } as const, ledger: emptyLedger() };
      decide(deps, input, handler, delivery, row !== undefined, end, result);
    } else {
      if (isBehind(input, handler, delivery)) result.ledger.deliveries.push({ ...delivery, state: 'behind' });
      else if (row === undefined) result.ledger.deliveries.push(delivery);
      if (handler.holds === 'merchant') result.passes = false;
    }
  }
  return result;
}
