import { createHandlerStarts } from '../handler-starts.ts';
import { createLaneSystem } from './lane-system.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { silentLog } from '../../core/runtime/log.ts';
import type { World } from '../../core/testing/world.ts';

/** A worker of a release with these handlers of one event. */
export function release(world: World, worker: string, handlers: Parameters<typeof createLaneSystem>[1]) {
  const system = createLaneSystem(world, handlers);
  const { db } = world.postgres;
  const starts = createHandlerStarts({
    ...{ db, registry: system.deps.registry, worker, clock: systemClock, log: silentLog },
  });
  return { ...system, starts, run: (merchantId: string) => system.run(merchantId, { starts }) };
}

/** What a handler settled, in the order in which it did. */
export const settledBy = async ({ postgres: { db } }: World, handler: string) => {
  const rows = await db
    .selectFrom('settlements')
    .select(['merchant_id', 'mseq', 'out_of_order'])
    .where('handler', '=', handler)
    .orderBy('settled_seq')
    .execute();
  return rows.map((row) => `${row.merchant_id} ${row.mseq}${row.out_of_order ? ' out of order' : ''}`);
};

export const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'none';
  } catch (error) {
    return error instanceof LanewayError ? error.code : String(error);
  }
};
