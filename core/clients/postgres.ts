import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { withDeadline } from '../runtime/deadline.ts';
import { LanewayError } from '../runtime/errors.ts';
import { NamedStatementsClient } from './named-statements.ts';
import { type PostgresAccess, connectionOptions } from './postgres-access.ts';
import type { Database } from '../database/tables.ts';

const INT8 = 20;
const DATE = 1082;
const types = new pg.TypeOverrides(pg.types);
types.setTypeParser(INT8, (text: string) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a JavaScript number`);
  return value;
});
/** A day stays the text it is: as a Date it would move with the process's time zone. */
types.setTypeParser(DATE, (text: string) => text);

export interface PostgresOptions {
  url: string;
  /** How to sign in where the URL alone does not say. */
  access?: PostgresAccess;
  poolSize: number;
  applicationName: string;
  /** Bounds every statement, as far as the server can. */
  statementTimeoutMs: number;
  /** How long to wait for an answer before the connection counts as lost; 5 s over `statementTimeoutMs` unless given. */
  answerTimeoutMs?: number;
  /**
   * Ends a transaction whose client went silent, so that a stopped process cannot hold a fence or a mailbox. Must be below
   * the lease.
   */
  idleInTransactionTimeoutMs: number;
  lockTimeoutMs?: number;
  /**
   * For processes all of whose statements have an index to go by: a prepared plan that was made while a table was empty would
   * read it as a whole for as long as the connection lives.
   */
  indexesOnly?: boolean;
  /**
   * Plans each statement once for a connection, from its text alone, instead of five times from its parameters first: for
   * processes whose statements are few and always go the same way.
   */
  plannedOnce?: boolean;
}

export interface Postgres {
  db: Kysely<Database>;
  pool: pg.Pool;
  close(): Promise<void>;
}

/** What a server that is there needs at most to say that a statement timed out. */
const ANSWER_MARGIN_MS = 5_000;
const CLOSE_MS = 3_000;
const CLIENT_CHECK_MS = 1_000;

function serverSettings({ indexesOnly = false, plannedOnce = false }: PostgresOptions): { options: string } {
  const settings = [
    // A statement whose client has gone ends, and with it the locks of its transaction: not only when it has an answer.
    `-c client_connection_check_interval=${CLIENT_CHECK_MS}`,
    ...(indexesOnly ? ['-c enable_seqscan=off'] : []),
    ...(plannedOnce ? ['-c plan_cache_mode=force_generic_plan'] : []),
  ];
  return { options: settings.join(' ') };
}

/** The only place where pools are made. Bigints arrive as numbers, dates as `YYYY-MM-DD`. */
export function connectPostgres(options: PostgresOptions): Postgres {
  const pool = new pg.Pool({
    Client: NamedStatementsClient,
    ...serverSettings(options),
    ...connectionOptions(options.url, options.access),
    max: options.poolSize,
    application_name: options.applicationName,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.answerTimeoutMs ?? options.statementTimeoutMs + ANSWER_MARGIN_MS,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
    ...(options.lockTimeoutMs === undefined ? {} : { lock_timeout: options.lockTimeoutMs }),
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    types,
  });
  // A connection that the server ends reports it here while it is idle, and on the client while it is lent. Whoever uses it
  // is told by the next query; unheard, the event would end the process.
  pool.on('error', () => undefined);
  const connections = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    connections.add(client);
    client.on('error', () => undefined);
  });
  const allEnded = Promise.withResolvers<void>();
  pool.on('remove', (client) => {
    connections.delete(client);
    if (pool.ending && connections.size === 0) allEnded.resolve();
  });
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => closeAll(db, pool, connections, allEnded.promise) };
}

/** A server that hangs does not answer a farewell either: what has not ended in time is ended without. */
async function closeAll(
  db: Kysely<Database>,
  pool: pg.Pool,
  connections: ReadonlySet<pg.PoolClient>,
  allEnded: Promise<void>,
): Promise<void> {
  try {
    await withDeadline('closing connections to Postgres', CLOSE_MS, async () => {
      await db.destroy();
      // Kysely knows nothing of a pool that it was never asked to use.
      if (!pool.ending) await pool.end();
      if (connections.size > 0) await allEnded;
    });
  } catch (error) {
    if (!(error instanceof LanewayError)) throw error;
    for (const client of connections)
      if (client instanceof NamedStatementsClient) client.abandon('Postgres gave no answer');
  }
}
