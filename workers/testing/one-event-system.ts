import { z } from 'zod';
import { type EventDefinition, type HandlerDefinition, thresholds } from '../../core/events/definition.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import type { HandlerModule, Outcome } from '../../core/events/handler.ts';
import { createRegistry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import type { World } from '../../core/testing/world.ts';
import { type ActDependencies, type LaneEnd, workLane } from '../act.ts';

const payload = z.looseObject({ n: z.int(), key: z.string().optional() });
export type Payload = z.infer<typeof payload>;

/** A handler that a test writes; by number, since that is what tests count in. */
export const each = (
  handle: (n: number, event: LanewayEvent<Payload>) => Promise<Outcome> | Outcome,
): HandlerModule => ({
  handle: async (event) => {
    // The engine has parsed it with the schema above.
    const typed = event as LanewayEvent<Payload>;
    return await handle(typed.payload.n, typed);
  },
});

/** A system of one event and one handler `h` on a real database, with a clock that only the test moves. */
export function oneEventSystem(
  world: World,
  run: HandlerModule,
  declared: Partial<HandlerDefinition> = {},
  overrides: Partial<ActDependencies> = {},
) {
  const handler: HandlerDefinition = {
    name: 'h',
    service: 'TestService',
    holds: 'merchant',
    onPoison: 'release',
    effect: 'state',
    load: () => Promise.resolve(run),
    ...declared,
  };
  const definition: EventDefinition = {
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
    handlers: [handler],
    example: { n: 1 },
  };
  const clock = { time: systemClock.now(), now: () => clock.time, sleep: () => Promise.resolve() };
  const registry = createRegistry([definition]);
  const deps: ActDependencies = {
    registry,
    handlers: new Map([[handler.name, run]]),
    random: () => 0,
    pool: world.postgres.pool,
    clock,
    worker: 'test-worker',
    windowEvents: 10,
    windowBytes: 1_000_000,
    quantumWindows: 100,
    quantumMs: 60_000,
    leaseMs: 30_000,
    committed: () => undefined,
    ...overrides,
  };
  const { db } = world.postgres;
  return {
    deps,
    registry,
    clock,
    /** One visit of an actor. */
    visit: (merchantId: string): Promise<LaneEnd> =>
      workLane(deps, merchantId, { careful: false, stop: new AbortController().signal }),
    /** Events m-1, m-2, … of a merchant m. */
    seed: (merchantId: string, payloads: readonly Payload[]) =>
      seedInbox(
        db,
        payloads.map((p) => ({ merchantId, eventType: 'TestEvent', payload: p, eventId: `${merchantId}-${p.n}` })),
      ),
    applied: async (merchantId: string): Promise<number[]> => {
      const rows = await db
        .selectFrom('applied')
        .select('mseq')
        .where('merchant_id', '=', merchantId)
        .orderBy('settled_seq')
        .execute();
      return rows.map(({ mseq }) => mseq);
    },
    lane: (merchantId: string) =>
      db.selectFrom('lanes').selectAll().where('merchant_id', '=', merchantId).executeTakeFirstOrThrow(),
  };
}

/** `{ n: from }` to `{ n: to }`. */
export const numbered = (from: number, to: number): Payload[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));
