import { declareIntents } from '../../core/database/intents.ts';
import type { HandlerModule } from '../../core/events/handler.ts';
import { dayOf } from '../../core/runtime/clock.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import { type HandlerRun, lanewayEvent, runHandler } from '../../core/testing/run-handler.ts';
import type { World } from '../../core/testing/world.ts';

/**
 * Handles one event as a lane does, with its intents declared, for tests of what becomes of them. The payload is one that
 * the event's current schema gives.
 */
export async function throughLane(
  { postgres: { db } }: World,
  handler: { module: HandlerModule; name: string },
  event: { merchantId: string; eventType: string; eventId?: string; payload: Record<string, unknown>; now: number },
): Promise<HandlerRun> {
  const { merchantId, eventType, payload, now, eventId = crypto.randomUUID() } = event;
  const [mseq = 0] = await seedInbox(db, [{ merchantId, eventType, eventId, payload }]);
  const handled = lanewayEvent(mseq, payload, { merchantId, eventType, eventId, mseq, day: dayOf(now) });
  const run = await runHandler(db, handler.module, [handled], { now });
  const { correlationId, traceparent, day } = handled;
  const cause = { merchantId, eventId, eventType, handler: handler.name, mseq, day, correlationId, traceparent };
  await db.transaction().execute((trx) =>
    declareIntents(
      trx,
      run.intents.map((intent) => ({ ...cause, deadlineMs: 700, ...intent })),
      now,
    ),
  );
  return run;
}
