import { type Kysely, type Transaction, sql } from 'kysely';
import { type Ask, type Grant, type Ledger, fullLedger, grantTokens, pauseLedger } from './token-bucket.ts';
import type { Database } from '../core/database/tables.ts';
import type { QuotaWindow } from '../core/events/destination-limits.ts';

/**
 * The quota of a destination as rows of Postgres, one for each of its windows, which all workers share: a loss in Redis
 * cannot refill them. Whoever asks holds the rows' locks for one short transaction.
 *
 * Times are those of the asking worker. A worker whose clock is ahead refills early once, by as much as its clock is ahead;
 * the others then wait for theirs to catch up, since `refilled_at` never goes back.
 */
export async function askForTokens(
  db: Kysely<Database>,
  destination: string,
  quota: readonly QuotaWindow[],
  ask: Ask,
): Promise<Grant> {
  return await db.transaction().execute(async (trx) => {
    const found = await lockLedger(trx, destination, quota, ask.now);
    const { grant, ledger } = grantTokens(found, ask);
    await writeLedger(trx, destination, ledger);
    return grant;
  });
}

/** Keeps every worker from calling the destination before `until`. */
export async function pauseDestination(
  db: Kysely<Database>,
  destination: string,
  quota: readonly QuotaWindow[],
  { now, until }: { now: number; until: number },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await writeLedger(trx, destination, pauseLedger(await lockLedger(trx, destination, quota, now), until));
  });
}

/** Locks the rows by inserting them where they are missing; always in the order of the windows. */
async function lockLedger(
  trx: Transaction<Database>,
  destination: string,
  quota: readonly QuotaWindow[],
  now: number,
): Promise<Ledger> {
  const byLength = quota.toSorted((a, b) => a.perMs - b.perMs);
  const fresh = fullLedger(byLength, now);
  const { rows } = await sql<{
    windowMs: number;
    tokens: number;
    refilledAt: Date;
    pausedUntil: Date | null;
    turnAt: Date | null;
  }>`
    insert into quota_ledger as q (destination, window_ms, tokens, refilled_at)
    select ${destination}, window_ms, tokens, ${new Date(now)}::timestamptz
    from unnest(${byLength.map(({ perMs }) => perMs)}::int[], ${fresh.buckets.map(({ tokens }) => tokens)}::float8[])
      as t (window_ms, tokens)
    order by window_ms
    on conflict (destination, window_ms) do update set tokens = q.tokens
    returning window_ms as "windowMs", tokens, refilled_at as "refilledAt", paused_until as "pausedUntil",
      turn_at as "turnAt"
  `.execute(trx);
  const latest = (times: readonly (Date | null)[]) => Math.max(0, ...times.map((time) => time?.getTime() ?? 0));
  return {
    buckets: byLength.map((window) => {
      const row = rows.find(({ windowMs }) => windowMs === window.perMs);
      if (row === undefined) throw new Error(`no ledger row of ${destination} for ${window.perMs} ms`);
      return { window, tokens: row.tokens, refilledAt: row.refilledAt.getTime() };
    }),
    pausedUntil: latest(rows.map((row) => row.pausedUntil)),
    turnAt: latest(rows.map((row) => row.turnAt)),
  };
}

const timeOrNull = (epochMs: number): Date | null => (epochMs === 0 ? null : new Date(epochMs));

async function writeLedger(trx: Transaction<Database>, destination: string, ledger: Ledger): Promise<void> {
  const { buckets } = ledger;
  await sql`
    update quota_ledger q set tokens = t.tokens, refilled_at = t.refilled_at,
      paused_until = ${timeOrNull(ledger.pausedUntil)}::timestamptz, turn_at = ${timeOrNull(ledger.turnAt)}::timestamptz
    from unnest(${buckets.map(({ window }) => window.perMs)}::int[], ${buckets.map(({ tokens }) => tokens)}::float8[],
      ${buckets.map(({ refilledAt }) => new Date(refilledAt))}::timestamptz[]) as t (window_ms, tokens, refilled_at)
    where q.destination = ${destination} and q.window_ms = t.window_ms
  `.execute(trx);
}
