import { type Kysely, sql } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../../core/database/tables.ts';

/** How much is still under way, by what the database says. */
export interface Activity {
  readonly accepted: number;
  /** Events of the outbox that have not been accepted yet, sent or not. */
  readonly emittedOpen: number;
  readonly emittedAccepted: number;
  readonly deadLettersOpen: number;
  /** Events that lanes have not reached. */
  readonly behind: number;
  readonly deliveries: number;
  /** Those that are planned for later than any pause between two tries are at rest. */
  readonly intents: number;
  readonly settled: number;
}

export async function readActivity(db: Kysely<Database>): Promise<Activity> {
  const { rows } = await sql<Activity>`
    select
      (select count(*) from accepted) as accepted,
      (select count(*) from outbox o where stream = 'events' and not exists (select from accepted a
        where a.merchant_id = o.merchant_id and a.event_id = o.event_id)) as "emittedOpen",
      (select count(*) from outbox o where stream = 'events' and exists (select from accepted a
        where a.merchant_id = o.merchant_id and a.event_id = o.event_id)) as "emittedAccepted",
      (select count(*) from outbox where stream = 'dead-letters' and state = 'pending') as "deadLettersOpen",
      (select coalesce(sum(m.next_mseq - 1 - coalesce(l.cursor, 0)), 0)::bigint
        from mailbox m left join lanes l using (merchant_id)) as behind,
      (select count(*) from deliveries) as deliveries,
      (select count(*) from intents where state in ('pending', 'sending', 'unknown')
        and not (state = 'pending' and coalesce(not_before > now() + interval '15 minutes', false))) as intents,
      (select count(*) from settlements) as settled
  `.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('the database did not answer');
  return row;
}

/** Nothing left that would happen by itself. `sent`: distinct events from outside that can be accepted. */
export const isAtRest = (sent: number, activity: Activity): boolean =>
  activity.accepted - activity.emittedAccepted >= sent && isIdle(activity);

const isIdle = ({ emittedOpen, deadLettersOpen, behind, deliveries, intents }: Activity): boolean =>
  emittedOpen + deadLettersOpen + behind + deliveries + intents === 0;

export interface RestOptions {
  readonly sent: number;
  /** Messages that queues still hold; asked only when the database is idle. */
  readonly queued: () => Promise<number>;
  readonly onProgress: (activity: Activity) => void;
  /** Waiting ends after this long without any change. Longer than the longest pause that the engine makes by itself. */
  readonly stallMs: number;
  readonly everyMs?: number;
  /** An idle database with events missing is believed after this long. */
  readonly quietMs?: number;
  readonly signal: AbortSignal;
}

export type Rest = { at: 'rest'; activity: Activity } | { at: 'stall'; activity: Activity };

/**
 * Waits until two looks in a row find everything at rest. Gives up as stalled when nothing moves: what was not accepted by
 * then although no queue holds it any more is for the checker to name.
 */
export async function awaitRest(db: Kysely<Database>, options: RestOptions): Promise<Rest> {
  let restful = 0;
  let last = '';
  let movedAt = performance.now();
  for (;;) {
    options.signal.throwIfAborted();
    const activity = await readActivity(db);
    const picture = JSON.stringify(activity);
    if (picture !== last) {
      movedAt = performance.now();
      options.onProgress(activity);
    }
    last = picture;
    const finished =
      // What is refused at intake is in no table, and in no queue but a dead-letter queue.
      (isAtRest(options.sent, activity) ||
        (isIdle(activity) && performance.now() - movedAt > (options.quietMs ?? 5_000))) &&
      (await options.queued()) === 0;
    restful = finished ? restful + 1 : 0;
    if (restful >= 2) return { at: 'rest', activity };
    if (performance.now() - movedAt > options.stallMs) return { at: 'stall', activity };
    await delay(options.everyMs ?? 500, undefined, { signal: options.signal });
  }
}
