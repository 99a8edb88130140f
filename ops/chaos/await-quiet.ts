import { type Kysely, sql } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../../core/database/tables.ts';

/** How much is under way that goes on by itself: what is parked, and blocked lanes, wait for an operator. */
interface Activity {
  readonly accepted: number;
  readonly behind: number;
  readonly waiting: number;
  readonly outbox: number;
  readonly settled: number;
}

export interface QuietOptions {
  /** Distinct events that were sent. */
  readonly sent: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Waiting ends after this long without any change. */
  readonly stallMs?: number;
}

const everyMs = 250;

/** Answers false when nothing moves any more although something is left to do. */
export async function awaitQuiet(db: Kysely<Database>, options: QuietOptions): Promise<boolean> {
  const { stallMs = 60_000 } = options;
  let last = '';
  let movedAt = performance.now();
  let saidAt = 0;
  for (let quiet = 0; quiet < 3;) {
    options.signal.throwIfAborted();
    const now = await readActivity(db);
    const picture = JSON.stringify(now);
    if (picture !== last) movedAt = performance.now();
    last = picture;
    const { accepted, behind, waiting, outbox } = now;
    quiet = accepted >= options.sent && behind + waiting + outbox === 0 ? quiet + 1 : 0;
    if (performance.now() - movedAt > stallMs) return false;
    if (performance.now() - saidAt > 5_000) {
      saidAt = performance.now();
      options.say(`accepted ${accepted}, in lanes ${behind}, to be tried again ${waiting}, in the outbox ${outbox}`);
    }
    await delay(everyMs, undefined, { signal: options.signal });
  }
  return true;
}

async function readActivity(db: Kysely<Database>): Promise<Activity> {
  const { rows } = await sql<Activity>`
    select
      (select count(*) from accepted) as accepted,
      (select coalesce(sum(m.next_mseq - 1 - coalesce(l.cursor, 0)), 0)::bigint
        from mailbox m left join lanes l using (merchant_id) where coalesce(l.state, 'active') = 'active') as behind,
      (select count(*) from deliveries d join lanes l using (merchant_id)
        where l.state = 'active' and d.state in ('waiting', 'redrive'))
        + (select count(*) from redrives where finished_at is null) as waiting,
      (select count(*) from outbox where state = 'pending') as outbox,
      (select count(*) from settlements) as settled
  `.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('the database did not answer');
  return row;
}
