import type { LanewayEvent } from '../events/envelope.ts';
import type { HandlerModule } from '../events/handler.ts';
import { type HandlerRun, runHandler, snapshot } from './run-handler.ts';
import type { World } from './world.ts';

export interface Twice {
  first: HandlerRun;
  second: HandlerRun;
  /** State after all events were handled once. */
  once: string;
  /** State after all of them were handled again, as one run and then one by one. */
  twice: string;
}

/**
 * Handles events, then all of them again, each pass committed. The engine keeps an event from being applied twice; a
 * handler whose effect is `state` must not need that, so `twice` is to equal `once`. Counters are left out: they count on
 * the engine.
 */
export async function runTwice(
  { postgres: { db } }: World,
  handler: HandlerModule,
  events: readonly LanewayEvent[],
  tables: readonly [string, ...string[]],
): Promise<Twice> {
  const first = await runHandler(db, handler, events);
  const once = await snapshot(db, tables);
  const second = await runHandler(db, handler, events);
  await runHandler(db, handler, events, { alone: true });
  return { first, second, once, twice: await snapshot(db, tables) };
}
