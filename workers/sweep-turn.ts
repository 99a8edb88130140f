import { type Kysely, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';

/**
 * Whose turn it is to sweep, and how far the fleet has come: one row, so that a fleet of any size makes one pass in each
 * interval, and whoever makes the next one goes on where the last one ended.
 *
 *   free ──take──► held ──end──► free, until the interval is over
 *                   └──held for too long: its worker died──► taken by another
 *
 * By the clock of Postgres, which the workers share.
 */
export interface Turn {
  holder: string;
  sinceRecentMs: number;
  sinceFullMs: number;
  /** How often a full pass was asked for, and for how many of these one was made. */
  fullAsked: number;
  fullDone: number;
  dueLane: Place | null;
  dueEffect: Place | null;
}

/** Where a page of what is due ended: the due time, exactly as Postgres has it, and the rest of the key. */
export type Place = readonly [dueAt: string, ...key: string[]];

const HELD_MS = 30_000;

const inMs = (ms: number) => sql`${ms} * interval '1 millisecond'`;

/** Undefined while another one has the turn, and until `everyMs` after the last one began. */
export async function takeTurn(db: Kysely<Database>, holder: string, everyMs: number): Promise<Turn | undefined> {
  const { rows } = await sql<Turn>`
    update sweep_turn set holder = ${holder}, began_at = now(), held_until = now() + ${inMs(HELD_MS)}
    where held_until <= now() and began_at <= now() - ${inMs(everyMs)}
    returning holder, full_asked as "fullAsked", full_done as "fullDone", due_lane as "dueLane",
      due_effect as "dueEffect", (extract(epoch from now() - recent_at) * 1000)::float8 as "sinceRecentMs",
      (extract(epoch from now() - full_at) * 1000)::float8 as "sinceFullMs"
  `.execute(db);
  return rows[0];
}

/** To be called now and then by whoever needs long. */
export async function keepTurn(db: Kysely<Database>, { holder }: Turn): Promise<void> {
  await sql`update sweep_turn set held_until = now() + ${inMs(HELD_MS)} where holder = ${holder}`.execute(db);
}

export interface TurnResult {
  full: boolean;
  recent: boolean;
  dueLane: Place | null;
  dueEffect: Place | null;
}

/** Gives the turn back; without a result, the next one does it all again. */
export async function endTurn(db: Kysely<Database>, turn: Turn, result?: TurnResult): Promise<void> {
  const json = (place: Place | null) => sql`${place === null ? null : JSON.stringify(place)}::jsonb`;
  const reached =
    result === undefined
      ? sql``
      : sql`, due_lane = ${json(result.dueLane)}, due_effect = ${json(result.dueEffect)}
          ${result.recent ? sql`, recent_at = began_at` : sql``}
          ${result.full ? sql`, full_at = began_at, full_done = ${turn.fullAsked}` : sql``}`;
  await sql`
    update sweep_turn set holder = null, held_until = now() ${reached} where holder = ${turn.holder}
  `.execute(db);
}

/** The next pass that begins is a full one. */
export async function askForFullPass(db: Kysely<Database>): Promise<void> {
  await sql`update sweep_turn set full_asked = full_asked + 1`.execute(db);
}
