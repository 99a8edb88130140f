import type { EventDefinition, HandlerDefinition } from '../../core/events/definition.ts';
import type { Registry } from '../../core/events/registry.ts';
import type { SentEvent } from '../load/load-event.ts';
import { type Evidence, keyOf } from './evidence.ts';

/** An event that must have come to an end, once for each of its handlers. */
export interface ExpectedEvent {
  readonly merchantId: string;
  readonly eventId: string;
  readonly definition: EventDefinition;
  readonly handlers: readonly HandlerDefinition[];
  readonly payload: unknown;
  /** Cannot be read: its only end is the dead-letter queue. */
  readonly isPoison: boolean;
  readonly origin: 'sent' | 'emitted';
  readonly sentAtMs: number;
  /** Events of one producer on one route of one merchant share it: there, and only there, producer order is promised. */
  readonly sequence: string;
}

/** Each distinct event once, in producer order within every sequence: repeats add nothing to what must happen. */
export function expectedEvents(
  sent: readonly SentEvent[],
  emitted: Evidence['emitted'],
  registry: Registry,
): ExpectedEvent[] {
  const expected = new Map<string, ExpectedEvent>();
  const add = (
    event: Omit<ExpectedEvent, 'definition' | 'handlers' | 'sequence'> & { eventType: string; route: string },
  ): void => {
    const key = keyOf(event.merchantId, event.eventId);
    const definition = registry.get(event.eventType);
    if (expected.has(key) || definition === undefined) return;
    const { eventType: _, route, ...rest } = event;
    expected.set(key, {
      ...rest,
      definition,
      handlers: definition.handlers,
      sequence: keyOf(event.merchantId, event.origin, route),
    });
  };
  for (const { merchantId, event, channel, name, sentAtMs, isPoison = false } of sent) {
    const { eventId, eventType, payload } = event;
    const route = `${channel}:${name}`;
    add({ merchantId, eventId, eventType, payload, isPoison, origin: 'sent', sentAtMs, route });
  }
  for (const { merchantId, eventId, eventType, payload, destination, createdAtMs } of emitted) {
    const route = destination;
    add({ merchantId, eventId, eventType, payload, isPoison: false, origin: 'emitted', sentAtMs: createdAtMs, route });
  }
  return [...expected.values()];
}
