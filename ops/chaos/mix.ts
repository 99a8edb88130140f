import type { Kysely } from 'kysely';
import { adNetworkJobs } from '../../core/contexts/ad-networks/schedules.ts';
import type { Database } from '../../core/database/tables.ts';
import { envelopeSchema } from '../../core/events/envelope.ts';
import type { ScheduledPage, ScheduledTurn } from '../../core/schedules/definition.ts';
import { awaitRest } from '../checker/at-rest.ts';
import type { Emitted } from '../checker/evidence.ts';
import { generateLoad } from '../load/generate.ts';
import type { LoadEvent } from '../load/load-event.ts';
import { readFigures } from '../load/read-figures.ts';
import { monthBefore } from '../load/month-before.ts';
import { chaosRegistry } from './registry.ts';

/** Longer than an unknown outcome waits to be looked up, and than the longest pause of a call that is tried again. */
const restStallMs = 240_000;

/** The month of shops' lives that a run without chaos sends too; what nobody can read is left out, since it has no history. */
export function generateMix(options: { seed: number; events: number; merchants: number }): LoadEvent[] {
  const month = monthBefore(Date.now());
  const spanMs = month.endMs - month.startMs;
  const load = generateLoad({
    ...options,
    startMs: month.startMs,
    timeOf: (n) => month.startMs + Math.floor((n * spanMs) / options.events),
    closes: month.name,
    registry: chaosRegistry,
  });
  return [...load].filter(({ isPoison }) => isPoison !== true);
}

/** What the system itself emitted, as if it had been sent: it has the same ends. */
export const asSent = ({ merchantId, eventId, eventType, destination, payload }: Emitted): LoadEvent => ({
  merchantId,
  event: envelopeSchema.parse({
    eventId,
    eventType,
    timestamp: '1970-01-01T00:00:00.000Z',
    sourceService: 'emitted',
    correlationId: eventId,
    payload: typeof payload === 'object' && payload !== null ? payload : {},
  }),
  body: '',
  channel: 'queue',
  // Order is promised among what one producer sends: not between what was sent and what was emitted.
  name: `emitted ${destination}`,
  deduplicationId: eventId,
});

/**
 * Waits for all calls, has every merchant's networks compared with what they should hold and those of merchants with ads asked for
 * figures, and waits for what comes of it.
 */
export async function reconcileAll(
  db: Kysely<Database>,
  advertisers: readonly string[],
  { say, signal }: { say: (line: string) => void; signal: AbortSignal },
): Promise<boolean> {
  const rest = async (): Promise<boolean> => {
    const { at, activity } = await awaitRest(db, {
      sent: 0,
      queued: () => Promise.resolve(0),
      onProgress: () => undefined,
      stallMs: restStallMs,
      signal,
    });
    if (at === 'stall') say(`stalled: ${JSON.stringify(activity)}`);
    return at === 'rest';
  };
  if (!(await rest())) return false;
  const job = adNetworkJobs.find(({ name }) => name === 'ad_networks.reconcile');
  if (job === undefined) throw new Error('there is no job that reconciles');
  const nowMs = Date.now();
  const period = { startMs: nowMs, endMs: nowMs + 1 };
  let after: string | undefined = '';
  while (after !== undefined) {
    const turn: ScheduledTurn = { period, nowMs, after, limit: 500 };
    const page: ScheduledPage = await db.transaction().execute((trx) => job.due(trx, turn));
    after = page.next;
  }
  await readFigures(db, advertisers, signal);
  say('every network is compared with what it should hold');
  return await rest();
}
