import { type ActDependencies, type LaneEnd, workLane } from '../act.ts';
import { type Payload, payload, testActor, testEvent } from './test-event.ts';
import type { HandlerDefinition } from '../../core/events/definition.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../../core/events/handler.ts';
import { newId } from '../../core/runtime/ids.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import type { World } from '../../core/testing/world.ts';

export type TestPayload = Payload;

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
  const { db, pool } = world.postgres;
  const modules = Object.fromEntries(Object.entries(handlers).map(([name, { run }]) => [name, handlerOf(run)]));
  const { clock, deps } = testActor(pool, testEvent(handlers), modules);
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
