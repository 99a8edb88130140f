import { strictEqual } from 'node:assert';
import fc from 'fast-check';
import type { LanewayEvent } from '../events/envelope.ts';
import type { HandlerModule } from '../events/handler.ts';
import { empty, runHandler, snapshot } from './run-handler.ts';
import type { World } from './world.ts';

export interface ShuffledEvent {
  handler: HandlerModule;
  event: LanewayEvent;
}

/**
 * The property that a handler needs to hold nothing but its event: in whatever order events come, however often, in runs
 * or one by one, the state in `tables` ends the same. Rejects with the smallest case it finds and the seed to find it
 * again. Events of several handlers are interleaved.
 */
export async function assertOrderIrrelevant(
  { postgres: { db } }: World,
  events: fc.Arbitrary<readonly ShuffledEvent[]>,
  tables: readonly [string, ...string[]],
  { numRuns = 40, seed }: { numRuns?: number; seed?: number } = {},
): Promise<void> {
  const endState = async (order: readonly ShuffledEvent[], alone: boolean): Promise<string> => {
    await empty(db, tables);
    for (const { handler, run } of runsOf(order)) await runHandler(db, handler, run, { alone });
    return await snapshot(db, tables);
  };
  const cases = events.chain((inOrder) =>
    fc.record({ inOrder: fc.constant(inOrder), order: shuffledWithRepeats(inOrder), alone: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ({ inOrder, order, alone }) => {
      const expected = await endState(inOrder, false);
      strictEqual(await endState(order, alone), expected);
    }),
    { numRuns, ...(seed === undefined ? {} : { seed }) },
  );
}

const shuffledWithRepeats = (events: readonly ShuffledEvent[]): fc.Arbitrary<ShuffledEvent[]> =>
  fc.subarray([...events]).chain((repeated) => {
    const all = [...events, ...repeated];
    return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
  });

/** Maximal runs of one handler, as the engine hands them over. */
function runsOf(order: readonly ShuffledEvent[]): { handler: HandlerModule; run: LanewayEvent[] }[] {
  const runs: { handler: HandlerModule; run: LanewayEvent[] }[] = [];
  for (const { handler, event } of order) {
    const last = runs.at(-1);
    if (last?.handler === handler) last.run.push(event);
    else runs.push({ handler, run: [event] });
  }
  return runs;
}
