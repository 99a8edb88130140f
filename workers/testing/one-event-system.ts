import type { HandlerDefinition } from '../../core/events/definition.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import type { HandlerContext, HandlerModule, Outcome } from '../../core/events/handler.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import type { World } from '../../core/testing/world.ts';
import { type ActDependencies, type LaneEnd, workLane } from '../act.ts';
import { type Payload, payload, testActor, testEvent } from './test-event.ts';

/** A handler that a test writes; by number, since that is what tests count in. */
export const each = (
  handle: (n: number, event: LanewayEvent<Payload>, context: HandlerContext) => Promise<Outcome> | Outcome,
): HandlerModule => ({
  handle: async (event, context) => {
    const typed = { ...event, payload: payload.parse(event.payload) };
    return await handle(typed.payload.n, typed, context);
  },
});

/** A system of one event and one handler `h` on a real database, with a clock that only the test moves. */
export function oneEventSystem(
  world: World,
  run: HandlerModule,
  declared: Partial<HandlerDefinition> = {},
  overrides: Partial<ActDependencies> = {},
) {
  const { clock, deps: usual } = testActor(world.postgres.pool, testEvent({ h: declared }), { h: run });
  const deps: ActDependencies = { ...usual, ...overrides };
  const { db } = world.postgres;
  return {
    deps,
    registry: deps.registry,
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
