import { deadLetterRow } from '../core/events/dead-letter.ts';
import { buildEvent } from '../core/events/build.ts';
import type { HandlerDefinition } from '../core/events/definition.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../core/events/handler.ts';
import type { Registry } from '../core/events/registry.ts';
import { eventRow } from '../core/database/outbox.ts';
import {
  LanewayError,
  coerceError,
  isInfrastructureError,
  isStatementTimeout,
  recordError,
} from '../core/runtime/errors.ts';
import { derivedEventId } from '../core/runtime/ids.ts';
import { backoffMs } from '../core/runtime/retry.ts';
import type { Delivery } from './deliveries.ts';
import type { LaneTransaction } from './lane-transaction.ts';
import { type Ledger, emptyLedger } from './settle.ts';
import { type OpenedEvent, callsOf } from './window.ts';

/** Deaths of a process while running one pair, after which the pair is poison. */
export const MAX_CRASHES = 3;

export interface ExecuteDependencies {
  registry: Registry;
  handlers: ReadonlyMap<string, HandlerModule>;
  /** In [0, 1), for the jitter of a backoff. */
  random: () => number;
}

/**
 * A window of several events did not go through as a whole: it is rolled back and tried in smaller ones, until the culprit
 * is alone. `index` says which event it was, where that is known.
 */
export class WindowMustShrink extends Error {
  readonly index: number | undefined;
  constructor(index: number | undefined, cause: unknown) {
    super('window must shrink', { cause });
    this.index = index;
  }
}

/** Remembers what is running, so that whoever ends it from outside can say what was interrupted. */
export interface Running {
  mseq: number;
  handler: string;
}

/** Keys (handler and aggregate) behind which later events must queue. */
export const heldKey = (handler: string, aggregate: string): string => `${handler}\n${aggregate}`;

function holdKeyOf(opened: OpenedEvent, handler: HandlerDefinition): string | null {
  if (handler.holds !== 'aggregate' || opened.fault !== undefined) return null;
  return opened.definition.aggregate?.(opened.event.payload) ?? null;
}

export const newDelivery = (opened: OpenedEvent, handler: HandlerDefinition, now: number): Delivery => ({
  mseq: opened.row.mseq,
  handler: handler.name,
  day: opened.row.day,
  eventId: opened.row.eventId,
  eventType: opened.row.eventType,
  state: 'waiting',
  holds: handler.holds,
  holdKey: holdKeyOf(opened, handler),
  attempt: 0,
  crashes: 0,
  notBefore: null,
  firstError: null,
  lastError: null,
  createdAt: new Date(now),
});

/** Collects what a handler emits and intends, numbered per cause so that a second run derives the same ids. */
function contextFor(
  { registry }: ExecuteDependencies,
  handler: string,
  ledger: Ledger,
  base: Pick<HandlerContext, 'trx' | 'signal' | 'now'>,
  deadlineMs: number,
): HandlerContext {
  const ordinals = new Map<string, number>();
  return {
    ...base,
    emit(cause, emission) {
      const ordinal = ordinals.get(cause.eventId) ?? 0;
      ordinals.set(cause.eventId, ordinal + 1);
      const built = buildEvent(registry, {
        eventId: derivedEventId(cause.eventId, handler, ordinal),
        eventType: emission.eventType,
        merchantId: cause.merchantId,
        correlationId: cause.correlationId,
        traceparent: cause.traceparent,
        timestamp: emission.timestamp ?? new Date(base.now).toISOString(),
        ...(cause.authentication === undefined ? {} : { authentication: cause.authentication }),
        payload: emission.payload,
      });
      ledger.outbox.push(eventRow(built));
    },
    intend(cause, intent) {
      ledger.intents.push({
        merchantId: cause.merchantId,
        destination: intent.destination,
        objectKey: intent.objectKey,
        desired: intent.desired,
        eventId: cause.eventId,
        eventType: cause.eventType,
        handler,
        mseq: cause.mseq,
        day: cause.day,
        correlationId: cause.correlationId,
        traceparent: cause.traceparent,
        deadlineMs,
      });
    },
  };
}

function moduleOf(deps: ExecuteDependencies, handler: string): HandlerModule {
  const module = deps.handlers.get(handler);
  if (module === undefined) throw new Error(`handler ${handler} was not loaded`);
  return module;
}

/**
 * Runs a window of events that are expected to go through. Throws `WindowMustShrink` at the first that does not, whatever
 * the reason: nothing is classified here, since the failure may be another event's doing.
 */
export async function executeTogether(
  deps: ExecuteDependencies,
  trx: LaneTransaction,
  events: readonly OpenedEvent[],
  held: ReadonlySet<string>,
  base: { signal: AbortSignal; now: number },
): Promise<Ledger> {
  const ledger = emptyLedger();
  const unreadable = events.findIndex((opened) => opened.fault !== undefined);
  if (unreadable >= 0) throw new WindowMustShrink(unreadable, events[unreadable]?.fault);
  for (const run of callsOf(events)) {
    const definition = run[0]?.definition;
    for (const handler of definition?.handlers ?? []) {
      const free: OpenedEvent[] = [];
      for (const opened of run) {
        const key = holdKeyOf(opened, handler);
        if (key !== null && held.has(heldKey(handler.name, key)))
          ledger.deliveries.push({ ...newDelivery(opened, handler, base.now), state: 'behind' });
        else free.push(opened);
      }
      if (free.length === 0) continue;
      const context = contextFor(deps, handler.name, ledger, { ...base, trx }, definition?.timeoutMs ?? 0);
      const outcomes = await runTogether(moduleOf(deps, handler.name), free, context, events);
      for (const [i, opened] of free.entries()) {
        const outcome = outcomes[i];
        if (outcome === undefined || outcome.kind === 'snooze')
          throw new WindowMustShrink(events.indexOf(opened), new Error(outcome?.reason ?? 'no outcome'));
        settlePair(ledger, opened, handler.name, outcome, 1, false);
      }
    }
  }
  return ledger;
}

async function runTogether(
  module: HandlerModule,
  free: readonly OpenedEvent[],
  context: HandlerContext,
  window: readonly OpenedEvent[],
): Promise<readonly Outcome[]> {
  if ('handleMany' in module) {
    try {
      return await module.handleMany(
        free.map((opened) => opened.event),
        context,
      );
    } catch (error) {
      throw new WindowMustShrink(undefined, error);
    }
  }
  const outcomes: Outcome[] = [];
  for (const opened of free) {
    try {
      outcomes.push(await module.handle(opened.event, context));
    } catch (error) {
      throw new WindowMustShrink(window.indexOf(opened), error);
    }
  }
  return outcomes;
}

function settlePair(
  ledger: Ledger,
  opened: OpenedEvent,
  handler: string,
  outcome: { kind: 'done' } | { kind: 'skip'; reason: string } | { kind: 'dead'; reason: string },
  attempts: number,
  outOfOrder: boolean,
): void {
  ledger.settlements.push({
    mseq: opened.row.mseq,
    day: opened.row.day,
    handler,
    eventId: opened.row.eventId,
    outcome: outcome.kind,
    reason: outcome.kind === 'done' ? null : outcome.reason,
    attempts,
    outOfOrder,
  });
}

export interface AloneInput {
  opened: OpenedEvent;
  /** The pair's rows by handler; empty when nothing of the event ran yet. */
  rows: ReadonlyMap<string, Delivery>;
  held: ReadonlySet<string>;
  /** Only this handler's pair: a set-aside or redriven one, or one step of a careful run. */
  only?: string;
  /** The event lies before the cursor: what it held has gone on, or waits behind it. */
  setAside: boolean;
  running: (pair: Running | undefined) => void;
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
  const { opened, rows, held, base } = input;
  const result: AloneResult = { ledger: emptyLedger(), passes: true };
  for (const handler of opened.definition.handlers) {
    const row = rows.get(handler.name);
    if (rows.size > 0 && row === undefined) continue;
    const due = row === undefined || isDue(row, base.now);
    if (!due || (input.only !== undefined && input.only !== handler.name)) {
      if (row === undefined) result.ledger.deliveries.push(newDelivery(opened, handler, base.now));
      if (handler.holds === 'merchant') result.passes = false;
      continue;
    }
    const delivery = row ?? newDelivery(opened, handler, base.now);
    if (row === undefined && delivery.holdKey !== null && held.has(heldKey(handler.name, delivery.holdKey))) {
      result.ledger.deliveries.push({ ...delivery, state: 'behind' });
      continue;
    }
    const attempted = await attempt(deps, trx, input, handler, delivery);
    decide(deps, input, handler, delivery, row !== undefined, attempted, result);
  }
  return result;
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
): Promise<{ end: Attempted; ledger: Ledger }> {
  const ledger = emptyLedger();
  if (delivery.crashes >= MAX_CRASHES) {
    const message = `the worker process died ${delivery.crashes} times while running this`;
    return { end: { kind: 'failed', error: new LanewayError('worker.crashed', message) }, ledger };
  }
  if (input.opened.fault !== undefined) return { end: { kind: 'failed', error: input.opened.fault }, ledger };
  const savepoint = await trx.savepoint('handler').execute();
  const context = contextFor(deps, handler.name, ledger, { ...input.base, trx }, input.opened.definition.timeoutMs);
  input.running({ mseq: delivery.mseq, handler: handler.name });
  try {
    const module = moduleOf(deps, handler.name);
    const outcome =
      'handleMany' in module
        ? (await module.handleMany([input.opened.event], context))[0]
        : await module.handle(input.opened.event, context);
    if (outcome === undefined) throw new Error(`${handler.name} gave no outcome`);
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
      wait({ state: 'waiting', notBefore: new Date(base.now + end.delayMs) });
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
        wait({ ...failed, state: 'waiting', notBefore: new Date(base.now + delay) });
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
  if (handler.onPoison === 'keep' && delivery.state !== 'redrive') {
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
      body: opened.row.body,
      reference: { day: opened.row.day, mseq: opened.row.mseq },
    }),
  );
  finish();
}

/** A pair whose run was ended by its deadline: the attempt is recorded in a transaction of its own. */
export function recordDeadline(
  deps: ExecuteDependencies,
  input: AloneInput,
  pair: Running,
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
      if (row === undefined) result.ledger.deliveries.push(delivery);
      if (handler.holds === 'merchant') result.passes = false;
    }
  }
  return result;
}
