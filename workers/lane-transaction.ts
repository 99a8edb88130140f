import { type ControlledTransaction, Kysely, PostgresDialect, type PostgresPool } from 'kysely';
import type pg from 'pg';
import type { Database } from '../core/database/tables.ts';
import { LanewayError } from '../core/runtime/errors.ts';

export type LaneTransaction = ControlledTransaction<Database, string[]>;

interface Bound {
  db: Kysely<Database>;
  /** What the next transaction begins with. */
  begin: string;
}

/** One Kysely per pooled connection, so that the connection can be destroyed under it. */
const bound = new WeakMap<pg.PoolClient, Bound>();

function kyselyOn(client: pg.PoolClient, lockTimeoutMs: number | undefined): Kysely<Database> {
  const begin = lockTimeoutMs === undefined ? 'begin' : `begin; set local lock_timeout = ${Math.ceil(lockTimeoutMs)}`;
  const known = bound.get(client);
  if (known !== undefined) {
    known.begin = begin;
    return known.db;
  }
  const query = client.query.bind(client);
  const lent = new Proxy(client, {
    get: (target, key): unknown => {
      // The lane gives the connection back itself: to Kysely, releasing is nothing.
      if (key === 'release') return () => undefined;
      if (key !== 'query') return Reflect.get(target, key);
      // Kysely has no way to begin with a setting, and a statement of its own for it is a round trip more.
      return (text: string, values: unknown[]) =>
        text === 'begin' ? query(bound.get(client)?.begin ?? text) : query(text, values);
    },
  });
  // A pool of this one connection. pg's own typing of `query` has more overloads than Kysely asks for, hence the cast.
  const pool = { connect: () => Promise.resolve(lent), end: () => Promise.resolve() } as unknown as PostgresPool;
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  bound.set(client, { db, begin });
  return db;
}

/**
 * Runs `work` in one transaction that has until `deadlineMs`. When the deadline passes, or `stop` fires, the connection is
 * destroyed, not given back: the server rolls back, and a handler that goes on regardless writes into nothing. Rejects with
 * `handler.deadline`, with `stop`'s reason, or with what `work` threw.
 * @param lockTimeoutMs how long a statement may wait for a lock; without it, what the role's settings say
 */
export async function inLaneTransaction<T>(
  pool: pg.Pool,
  deadlineMs: number,
  stop: AbortSignal,
  work: (trx: LaneTransaction, signal: AbortSignal) => Promise<T>,
  lockTimeoutMs?: number,
): Promise<T> {
  stop.throwIfAborted();
  const client = await pool.connect();
  if (stop.aborted) {
    client.release();
    throw stop.reason;
  }
  const expiry = new AbortController();
  const timer = setTimeout(
    () =>
      expiry.abort(new LanewayError('handler.deadline', `not finished within ${deadlineMs} ms`, { retry: 'backoff' })),
    deadlineMs,
  );
  const signal = AbortSignal.any([stop, expiry.signal]);
  let given = false;
  const giveBack = (destroy: boolean) => {
    if (given) return;
    given = true;
    client.release(destroy);
  };
  const { promise: ended, reject: end } = Promise.withResolvers<never>();
  const endNow = () => end(signal.reason);
  signal.addEventListener('abort', endNow);
  ended.catch(() => undefined);

  const transact = async (): Promise<T> => {
    const trx: LaneTransaction = await kyselyOn(client, lockTimeoutMs).startTransaction().execute();
    try {
      const result = await work(trx, signal);
      await trx.commit().execute();
      giveBack(false);
      return result;
    } catch (error) {
      if (!given) {
        await trx
          .rollback()
          .execute()
          .then(
            () => giveBack(false),
            () => giveBack(true),
          );
      }
      throw error;
    }
  };
  try {
    return await Promise.race([transact(), ended]);
  } catch (error) {
    // Ended from outside, or the begin itself failed: what the connection is in the middle of nobody knows.
    giveBack(true);
    throw error;
  } finally {
    clearTimeout(timer);
    // A signal made of others lives as long as they do while it has a listener, and all that the listener can reach.
    signal.removeEventListener('abort', endNow);
  }
}
