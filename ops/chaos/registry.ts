import { z } from 'zod';
import { type EventDefinition, type HandlerDefinition, thresholds } from '../../core/events/definition.ts';
import { id, isoTimestamp } from '../../core/events/envelope.ts';
import { done } from '../../core/events/handler.ts';
import { type Registry, createRegistry, registry as laneway } from '../../core/events/registry.ts';
import { troublesSchema } from './trouble.ts';

export const chaosPayload = z.looseObject({
  subject: id(64),
  timestamp: isoTimestamp,
  chaos: troublesSchema.optional(),
});

/** Short pauses, so that an event that never goes through has its end within the run. */
const retry = { retries: 3, baseMs: 150, capMs: 1_000 };

type Declared = Pick<HandlerDefinition, 'holds' | 'onPoison' | 'effect'>;

const declared = (holds: Declared['holds'], onPoison: Declared['onPoison'], effect: Declared['effect']): Declared => ({
  holds,
  onPoison,
  effect,
});

const capitalised = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** A handler that does nothing: what it is wrapped in records that it ran. Every other one takes whole runs of events. */
const recording = (area: string, { holds, onPoison, effect }: Declared, index: number): HandlerDefinition => ({
  name: `record${area}${capitalised(holds)}${capitalised(onPoison)}${capitalised(effect)}`,
  service: 'Chaos',
  holds,
  onPoison,
  effect,
  load: () =>
    Promise.resolve(
      index % 2 === 0
        ? { handle: () => Promise.resolve(done) }
        : { handleMany: (events) => Promise.resolve(events.map(() => done)) },
    ),
});

function chaosEvent(
  area: string,
  queue: string,
  route: EventDefinition['route'],
  handlers: readonly [Declared, ...Declared[]],
): EventDefinition {
  const [first, ...rest] = handlers;
  return {
    id: `evt_chaos_${area.toLowerCase()}`,
    name: `Chaos${area}Event`,
    type: 'domain',
    category: 'Chaos',
    description: 'Exists in chaos runs only.',
    frequency: 'high',
    priority: 'high',
    criticality: 'normal',
    routingKey: `chaos.${area.toLowerCase()}`,
    sourceContext: 'Chaos',
    targetContexts: ['Chaos'],
    versions: [{ version: '1.0.0', schema: chaosPayload }],
    aggregate: (payload) => `${area}:${chaosPayload.parse(payload).subject}`,
    route,
    queue: `${queue}Queue`,
    deadLetterQueue: `${queue}DLQ`,
    ...(route === 'standard' ? { topic: `${queue}Topic` } : {}),
    timeoutMs: 30_000,
    retry,
    thresholds: thresholds('high'),
    handlers: [recording(area, first, 0), ...rest.map((each, index) => recording(area, each, index + 1))],
    example: { subject: 's1', timestamp: '2026-11-23T10:15:00.000Z' },
  };
}

/** Every combination of what a handler holds, what poison does and what kind of effect it has, on both kinds of route. */
export const chaosEvents: readonly EventDefinition[] = [
  chaosEvent('Account', 'ChaosAccount', 'fifo', [
    declared('merchant', 'release', 'state'),
    declared('aggregate', 'release', 'delta'),
    declared('event', 'release', 'delta'),
  ]),
  chaosEvent('Order', 'ChaosAccount', 'fifo', [
    declared('aggregate', 'release', 'state'),
    declared('aggregate', 'keep', 'delta'),
    declared('event', 'keep', 'state'),
  ]),
  chaosEvent('Budget', 'ChaosBudget', 'fifo', [
    declared('merchant', 'release', 'delta'),
    declared('aggregate', 'keep', 'state'),
  ]),
  chaosEvent('Ledger', 'ChaosBudget', 'fifo', [
    declared('merchant', 'keep', 'state'),
    declared('merchant', 'keep', 'delta'),
  ]),
  chaosEvent('View', 'ChaosView', 'standard', [
    declared('event', 'release', 'state'),
    declared('event', 'keep', 'delta'),
  ]),
];

/** The product's own events too, with their real handlers: only short pauses between the tries are different. */
export const chaosRegistry: Registry = createRegistry([
  ...[...laneway.values()].map((definition) => ({ ...definition, retry })),
  ...chaosEvents,
]);

/** The same events with handlers that hold nothing, whatever the checker expects of them: for proofs that it notices. */
export const withoutHolding = (registry: Registry): Registry =>
  createRegistry(
    [...registry.values()].map((definition) => {
      const [first, ...rest] = definition.handlers;
      const free = (handler: HandlerDefinition): HandlerDefinition => ({ ...handler, holds: 'event' });
      return { ...definition, handlers: [free(first), ...rest.map(free)] };
    }),
  );
