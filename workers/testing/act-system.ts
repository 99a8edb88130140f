import { type ActDependencies, workLane } from '../act.ts';
import { type Payload, testActor, testEvent } from './test-event.ts';
import type { EventDefinition, HandlerDefinition } from '../../core/events/definition.ts';
import type { HandlerModule } from '../../core/events/handler.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import type { World } from '../../core/testing/world.ts';

/** A little system of one event whose handlers the test writes. */
export function system(
  world: World,
  handlers: Record<string, Partial<HandlerDefinition> & { run: HandlerModule }>,
  overrides: Partial<EventDefinition> = {},
) {
  const log: { handler: string; n: number }[] = [];
  const modules = Object.fromEntries(Object.entries(handlers).map(([name, { run: module }]) => [name, module]));
  return { ...testActor(world.postgres.pool, testEvent(handlers, overrides), modules), log };
}

export const run = (deps: ActDependencies, merchantId: string, careful = false) =>
  workLane(deps, merchantId, { careful, stop: new AbortController().signal });

export const seed = (world: World, merchantId: string, payloads: Payload[]) =>
  seedInbox(
    world.postgres.db,
    payloads.map((p, i) => ({ merchantId, eventType: 'TestEvent', payload: p, eventId: `${merchantId}-${i + 1}` })),
  );

export const appliedOrder = async (world: World, merchantId: string) => {
  const rows = await world.postgres.db
    .selectFrom('applied')
    .select(['handler', 'mseq'])
    .where('merchant_id', '=', merchantId)
    .orderBy('settled_seq')
    .execute();
  return rows.map((row) => row.mseq);
};

export const lane = (world: World, merchantId: string) =>
  world.postgres.db.selectFrom('lanes').selectAll().where('merchant_id', '=', merchantId).executeTakeFirstOrThrow();
