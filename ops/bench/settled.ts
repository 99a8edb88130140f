import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';

const askEveryMs = 50;
const STALL_MS = 60_000;

/**
 * Resolves once the cursors of all lanes together have moved over `count` events. One small query, asked rarely: when
 * exactly the last of them was committed is read from the commit timestamps afterwards. Rejects when nothing moves for
 * `stallMs`, a minute unless given.
 * @param except merchants that are left out, here and below
 */
export async function awaitCursors(
  db: Kysely<Database>,
  count: number,
  { except = [], stallMs = STALL_MS }: { except?: readonly string[]; stallMs?: number } = {},
): Promise<void> {
  let reached = -1;
  let movedAt = performance.now();
  for (;;) {
    const askedAt = performance.now();
    const { rows } = await sql<{ reached: number }>`
      select coalesce(sum(cursor), 0)::bigint as reached from lanes
      where merchant_id <> all (${except}::text[])
    `.execute(db);
    const tookMs = performance.now() - askedAt;
    const now = rows[0]?.reached ?? 0;
    if (now >= count) return;
    if (now > reached) {
      reached = now;
      movedAt = performance.now();
    }
    if (performance.now() - movedAt > stallMs)
      throw new Error(`stalled: ${now} of ${count} events are settled, and none for ${stallMs} ms`);
    // At 20,000 lanes the question itself takes milliseconds: a twentieth of what is measured at most.
    await clock.sleep(Math.max(askEveryMs, 20 * tookMs));
  }
}

/** Epoch milliseconds at which the last settlement since `sinceMs` became durable. */
export async function lastCommitMs(
  db: Kysely<Database>,
  sinceMs: number,
  except: readonly string[] = [],
): Promise<number> {
  const { rows } = await sql<{ at: number | null }>`
    select extract(epoch from max(pg_xact_commit_timestamp(xmin)))::float8 * 1000 as at
    from settlements where settled_at >= ${new Date(sinceMs - 60_000)} and merchant_id <> all (${except}::text[])
  `.execute(db);
  const at = rows[0]?.at;
  if (at === null || at === undefined) throw new Error('nothing is settled');
  return at;
}

/**
 * Throws unless `count` events were accepted and each was settled exactly once, as done, in the order of its merchant: an
 * engine that does less has no figure.
 */
export async function assertSettledInOrder(
  db: Kysely<Database>,
  count: number,
  except: readonly string[] = [],
): Promise<void> {
  const { rows } = await sql<{ accepted: number; settled: number; done: number; disordered: number; open: number }>`
    with numbered as (
      select mseq, outcome,
        row_number() over (partition by merchant_id order by settled_seq) as place,
        row_number() over (partition by merchant_id order by mseq) as turn
      from settlements where merchant_id <> all (${except}::text[])
    )
    select (select count(*) from accepted where merchant_id <> all (${except}::text[])) as accepted, count(*) as settled,
      count(*) filter (where outcome = 'done') as done,
      count(*) filter (where place <> turn or mseq <> turn) as disordered,
      (select count(*) from deliveries where merchant_id <> all (${except}::text[])) as open
    from numbered
  `.execute(db);
  const found = rows[0];
  const expected = { accepted: count, settled: count, done: count, disordered: 0, open: 0 };
  if (JSON.stringify(found) !== JSON.stringify(expected))
    throw new Error(`wrong result, so no figure: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
}

/** Throws unless `count` events were accepted, each merchant's numbers without a gap. */
export async function assertAccepted(db: Kysely<Database>, count: number): Promise<void> {
  const { rows } = await sql<{ accepted: number; stored: number; numbered: number }>`
    select (select count(*) from accepted) as accepted, (select count(*) from inbox) as stored,
      (select coalesce(sum(next_mseq - 1), 0)::bigint from mailbox) as numbered
  `.execute(db);
  const expected = { accepted: count, stored: count, numbered: count };
  if (JSON.stringify(rows[0]) !== JSON.stringify(expected))
    throw new Error(`wrong result, so no figure: ${JSON.stringify(rows[0])} instead of ${JSON.stringify(expected)}`);
}
