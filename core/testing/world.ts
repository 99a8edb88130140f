import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type Postgres, connectPostgres } from '../clients/postgres.ts';
import { ensureMonths, ensurePartitions, migrate } from '../database/migrate.ts';

/**
 * Fresh stores for one test file: a database of its own, copied from a migrated template, on the servers that the test
 * runner started (`node ops/testing-stack.ts -- node some.test.ts` starts them for a single file).
 */
export interface World extends AsyncDisposable {
  postgres: Postgres;
  /** Superuser URL of this world's database. */
  postgresUrl: string;
  redisUrl: string;
  /** Unique short name for queues, tables and Redis prefixes of this world. */
  stack: string;
  networksUrl: string;
}

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run tests with \`npm test\` or \`node ops/testing-stack.ts -- …\``);
  return value;
};

const withDatabase = (url: string, database: string): string => {
  const copy = new URL(url);
  copy.pathname = `/${database}`;
  return copy.toString();
};

const options = {
  poolSize: 10,
  applicationName: 'test',
  statementTimeoutMs: 30_000,
  idleInTransactionTimeoutMs: 20_000,
};
const TEMPLATE = 'laneway_template';

async function ensureTemplate(admin: pg.Client, adminUrl: string): Promise<void> {
  await admin.query('select pg_advisory_lock(42)');
  try {
    const existing = await admin.query('select from pg_database where datname = $1 and datistemplate', [TEMPLATE]);
    if ((existing.rowCount ?? 0) > 0) return;
    await admin.query(`drop database if exists ${TEMPLATE}`);
    await admin.query(`create database ${TEMPLATE}`);
    const template = connectPostgres({ ...options, url: withDatabase(adminUrl, TEMPLATE) });
    await migrate(template.db);
    await ensurePartitions(template.db, Date.now());
    // For tests whose time stands still, whenever they are run.
    await ensureMonths(template.db, Date.parse('2026-11-01T00:00:00.000Z'));
    await template.close();
    await admin.query(`alter database ${TEMPLATE} is_template true`);
  } finally {
    await admin.query('select pg_advisory_unlock(42)');
  }
}

/** Servers and an unused prefix, for tests that need no database. */
export const unusedPrefix = (): Pick<World, 'redisUrl' | 'networksUrl' | 'stack'> => ({
  redisUrl: setting('LANEWAY_TEST_REDIS_URL'),
  networksUrl: process.env['LANEWAY_TEST_NETWORKS_URL'] ?? '',
  stack: `t${randomBytes(5).toString('hex')}`,
});

export async function createWorld(): Promise<World> {
  const adminUrl = setting('LANEWAY_TEST_POSTGRES_URL');
  const { redisUrl, networksUrl, stack } = unusedPrefix();
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    await ensureTemplate(admin, adminUrl);
    await admin.query('select pg_advisory_lock(42)');
    await admin.query(`create database ${stack} template ${TEMPLATE} strategy file_copy`);
  } finally {
    await admin.end();
  }
  const postgresUrl = withDatabase(adminUrl, stack);
  const postgres = connectPostgres({ ...options, url: postgresUrl });
  return {
    postgres,
    postgresUrl,
    redisUrl,
    stack,
    networksUrl,
    async [Symbol.asyncDispose]() {
      await postgres.close();
      const cleaner = new pg.Client({ connectionString: adminUrl });
      await cleaner.connect();
      await cleaner.query(`drop database if exists ${stack} with (force)`);
      await cleaner.end();
    },
  };
}
