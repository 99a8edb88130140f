import type pg from 'pg';
import { z } from 'zod';
import { createTestInHand } from './in-hand.ts';
import type { ActDependencies } from '../act.ts';
import { type EventDefinition, type HandlerDefinition, thresholds } from '../../core/events/definition.ts';
import type { HandlerModule } from '../../core/events/handler.ts';
import { createRegistry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';

/** What test events say: a number, since that is what tests count in, and what they are about. */
export const payload = z.looseObject({ n: z.int(), key: z.string().optional() });
export type Payload = z.infer<typeof payload>;

/** An event of a test. Its handlers hold their merchant and release poison where the test declares nothing else. */
export function testEvent(
  handlers: Readonly<Record<string, Partial<HandlerDefinition>>>,
  changes: Partial<EventDefinition> = {},
): EventDefinition {
  const [first, ...others] = Object.entries(handlers).map(([name, declared]): HandlerDefinition => ({
    name,
    service: 'TestService',
    holds: 'merchant',
    onPoison: 'release',
    effect: 'state',
    load: () => Promise.reject(new Error('tests give their handlers')),
    ...declared,
  }));
  if (first === undefined) throw new Error('an event has a handler');
  return {
    id: 'evt_test',
    name: 'TestEvent',
    type: 'domain',
    category: 'Test',
    description: 'A test event.',
    frequency: 'low',
    priority: 'low',
    criticality: 'normal',
    routingKey: 'test',
    sourceContext: 'Test',
    targetContexts: ['Test'],
    versions: [{ version: '1.0.0', schema: payload }],
    aggregate: (value) => payload.parse(value).key ?? 'none',
    route: 'fifo',
    queue: 'TestQueue',
    deadLetterQueue: 'TestDLQ',
    timeoutMs: 5_000,
    retry: { retries: 3, baseMs: 1_000, capMs: 60_000 },
    thresholds: thresholds('low'),
    handlers: [first, ...others],
    example: { n: 1 },
    ...changes,
  };
}

/** What an actor needs to work test events, on a clock that only the test moves, without jitter. */
export function testActor(pool: pg.Pool, event: EventDefinition, modules: Readonly<Record<string, HandlerModule>>) {
  const clock = { time: systemClock.now(), now: () => clock.time, sleep: () => Promise.resolve() };
  const deps: ActDependencies = {
    registry: createRegistry([event]),
    handlers: new Map(Object.entries(modules)),
    random: () => 0,
    pool,
    clock,
    worker: 'test-worker',
    windowEvents: 10,
    windowBytes: 1_000_000,
    quantumWindows: 100,
    quantumMs: 60_000,
    leaseMs: 30_000,
    inHand: createTestInHand(),
    committed: () => undefined,
  };
  return { clock, deps };
}
