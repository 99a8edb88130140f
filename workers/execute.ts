import { eventRow } from '../core/database/outbox.ts';
import { buildEvent } from '../core/events/build.ts';
import type { HandlerDefinition } from '../core/events/definition.ts';
import type { LanewayEvent } from '../core/events/envelope.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../core/events/handler.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Keyring } from '../core/people/keyring.ts';
import { derivedEventId } from '../core/runtime/ids.ts';
import type { Delivery } from './deliveries.ts';
import type { HandlerStarts } from './handler-starts.ts';
import type { LaneTransaction } from './lane-transaction.ts';
import type { Ledger } from './settle.ts';
import type { OpenedEvent } from './window.ts';

/** What running a window together and running one event alone share. */
export interface ExecuteDependencies {
  registry: Registry;
  handlers: ReadonlyMap<string, HandlerModule>;
  /** In [0, 1), for the jitter of a backoff. */
  random: () => number;
  /** Opens what is encrypted about people; without it, events about them wait. */
  keyring?: Keyring | undefined;
  /** Without it, every handler counts from its first event on. */
  starts?: Pick<HandlerStarts, 'registryIn'>;
}

/** The events with the handlers that count as of a window's generation. */
export const registryOf = async (
  { registry, starts }: ExecuteDependencies,
  trx: LaneTransaction,
  generation: number,
): Promise<Registry> => (starts === undefined ? registry : await starts.registryIn(trx, generation));

/** Keys (handler and aggregate) behind which later events must queue. */
export const heldKey = (handler: string, aggregate: string): string => `${handler}\n${aggregate}`;

export function holdKeyOf(opened: OpenedEvent, handler: HandlerDefinition): string | null {
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
  verdict: null,
  notBefore: null,
  firstError: null,
  lastError: null,
  createdAt: new Date(now),
});

/**
 * Collects what a handler emits and intends in the ledger of the cause's merchant, numbered per cause so that a second run
 * derives the same ids.
 */
export function contextFor(
  { registry, keyring }: ExecuteDependencies,
  handler: string,
  ledgerOf: (merchantId: string) => Ledger,
  base: Pick<HandlerContext, 'trx' | 'signal' | 'now'>,
  deadlineMs: number,
): HandlerContext {
  const ordinals = new Map<string, number>();
  return {
    ...base,
    keyring,
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
      ledgerOf(cause.merchantId).outbox.push(eventRow(built));
    },
    intend(cause, intent) {
      ledgerOf(cause.merchantId).intents.push({
        merchantId: cause.merchantId,
        destination: intent.destination,
        objectKey: intent.objectKey,
        desired: intent.desired,
        ...(intent.notBeforeMs === undefined ? {} : { notBeforeMs: intent.notBeforeMs }),
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

/** Hands one event to a handler of either shape. */
export async function handleOne(
  module: HandlerModule,
  handler: string,
  event: LanewayEvent,
  context: HandlerContext,
): Promise<Outcome> {
  const outcome =
    'handleMany' in module ? (await module.handleMany([event], context))[0] : await module.handle(event, context);
  if (outcome === undefined) throw new Error(`${handler} gave no outcome`);
  return outcome;
}

export function moduleOf(deps: ExecuteDependencies, handler: string): HandlerModule {
  const module = deps.handlers.get(handler);
  if (module === undefined) throw new Error(`handler ${handler} was not loaded`);
  return module;
}

export function settlePair(
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
    emittedAt: opened.event.timestamp,
    traceparent: opened.row.traceparent,
    outcome: outcome.kind,
    reason: outcome.kind === 'done' ? null : outcome.reason,
    attempts,
    outOfOrder,
  });
}
