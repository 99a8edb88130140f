import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { AcceptResult, AcceptableEvent } from './accept-rows.ts';
import { acceptBatch } from './accept.ts';
import { confirmMarks } from './confirm-marks.ts';
import type { Dedupe } from './dedupe.ts';

/** `forgotten`: accepted and worked so long ago that only the long memory still knows. */
export type Verdict = AcceptResult | { status: 'forgotten' };

export interface AdmitOptions {
  db: Kysely<Database>;
  dedupe: Dedupe;
  clock: Clock;
  /** Days for which `accepted` keeps rows. */
  purgeDays: number;
}

/** What to do with each event of a batch, in the order given: asks the long memory, then Postgres, which decides. */
export const createAdmission =
  ({ db, dedupe, clock, purgeDays }: AdmitOptions) =>
  async (events: readonly AcceptableEvent[]): Promise<readonly Verdict[]> => {
    const marks = await dedupe.lookup(events);
    const confirmed = await confirmMarks(db, events, marks, { now: clock.now(), purgeDays });
    const offered = events.filter((event) => !confirmed.has(event));
    const results = await acceptBatch(db, offered, { clock });
    const accepted = new Map(offered.map((event, i) => [event, results[i]]));
    dedupe.mark(
      [...accepted].flatMap(([event, result]) =>
        result?.status === 'accepted' ? [{ ...event, mseq: result.mseq, acceptedAtMs: clock.now() }] : [],
      ),
    );
    return events.map((event) => {
      const verdict = confirmed.get(event) ?? accepted.get(event);
      if (verdict === undefined) throw new Error(`no verdict on event ${event.eventId}`);
      return verdict;
    });
  };
