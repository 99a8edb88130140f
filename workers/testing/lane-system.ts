import { z } from 'zod';
import { type ActDependencies, type LaneEnd, workLane } from '../act.ts';
import { type EventDefinition, type HandlerDefinition, thresholds } from '../../core/events/definition.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../../core/events/handler.ts';
import { createRegistry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { newId } from '../../core/runtime/ids.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import type { World } from '../../core/testing/world.ts';

const payload = z.looseObject({ n: z.int(), key: z.string().optional() });
export type TestPayload = z.infer<typeof payload>;

export interface TestHandler extends Partial<HandlerDefinition> {
  run: (n: number, event: LanewayEvent<TestPayload>, context: HandlerContext) => Promise<Outcome> | Outcome;
}

/** A handler of one event at a time, from a function of the event's number. */
const handlerOf = (run: TestHandler['run']): HandlerModule => ({
  handle: async (event, context) => {
    const typed = { ...event, payload: payload.parse(event.payload) };
    return await run(typed.payload.n, typed, context);
  },
});

/** A little system of one event, `TestEvent`, whose handlers the test writes, on a clock that the test moves. */
export function createLaneSystem(world: World, handlers: Record<string, TestHandler>) {
  const definitions = Object.entries(handlers).map(([name, { run, ...rest }]): HandlerDefinition => ({
    name,
    service: 'TestService',
    holds: 'merchant',
    onPoison: 'release',
    effect: 'state',
    load: () => Promise.resolve(handlerOf(run)),
    ...rest,
  }));
  const [first, ...others] = definitions;
  if (first === undefined) throw new Error('a system has a handler');
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
    handlers: [first, ...others],
    example: { n: 1 },
  };
  const clock = { time: systemClock.now(), now: () => clock.time, sleep: () => Promise.resolve() };
  const { db, pool } = world.postgres;
  const deps: ActDependencies = {
    registry: createRegistry([definition]),
    handlers: new Map(Object.entries(handlers).map(([name, { run }]) => [name, handlerOf(run)])),
    random: () => 0,
    pool,
    clock,
    worker: 'test-worker',
    windowEvents: 10,
    windowBytes: 1_000_000,
    quantumWindows: 100,
    quantumMs: 60_000,
    leaseMs: 30_000,
    committed: () => undefined,
  };
  return {
    deps,
    clock,
    run: (
      merchantId: string,
      options: Partial<ActDependencies> & { careful?: boolean; stop?: AbortSignal } = {},
    ): Promise<LaneEnd> => {
      const { careful = false, stop = new AbortController().signal, ...overrides } = options;
      return workLane({ ...deps, ...overrides }, merchantId, { careful, stop });
    },
    seed: (merchantId: string, payloads: readonly TestPayload[]) =>
      seedInbox(
        db,
        payloads.map((p) => ({ merchantId, eventType: 'TestEvent', payload: p, eventId: `${merchantId}-${p.n}` })),
      ),
    /** Settlements in the order in which they were made: mseq, outcome, and `out of order` where it is. */
    settled: async (merchantId: string) => {
      const rows = await db
        .selectFrom('settlements')
        .selectAll()
        .where('merchant_id', '=', merchantId)
        .orderBy('settled_seq')
        .execute();
      return rows.map((row) => `${row.mseq} ${row.outcome}${row.out_of_order ? ' out of order' : ''}`);
    },
    lane: (merchantId: string) =>
      db.selectFrom('lanes').selectAll().where('merchant_id', '=', merchantId).executeTakeFirstOrThrow(),
    deadLetters: () =>
      db.selectFrom('outbox').selectAll().where('stream', '=', 'dead-letters').orderBy('seq').execute(),
    /** Asks for a dead or parked pair again, as an operator's command does. It is due at once. */
    redrive: async (merchantId: string, mseq: number, handler: string) => {
      const { day } = await db
        .selectFrom('inbox')
        .select('day')
        .where('merchant_id', '=', merchantId)
        .where('mseq', '=', mseq)
        .executeTakeFirstOrThrow();
      const asked = {
        requested_by: 'test',
        reason: 'test',
        requested_at: new Date(clock.time),
        finished_at: null,
        result: null,
      };
      await db
        .insertInto('redrives')
        .values({ id: newId(), merchant_id: merchantId, mseq, day, handler, ...asked })
        .execute();
      await db
        .updateTable('lanes')
        .set({ due_at: new Date(clock.time) })
        .where('merchant_id', '=', merchantId)
        .execute();
      // The command is due by the database's clock, which runs on while the test's stands.
      clock.time += 1_000;
    },
  };
}
