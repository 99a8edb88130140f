import { connectPostgres } from '../core/clients/postgres.ts';
import { postgresAccess } from '../core/clients/postgres-access.ts';
import { ensurePartitions, migrate } from '../core/database/migrate.ts';
import { registerSchemaVersions } from '../core/database/schema-versions.ts';
import { allowIamLogins } from '../core/database/iam-logins.ts';
import { registry } from '../core/events/registry.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { loadMigrationConfig } from '../core/runtime/config.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { createLog } from '../core/runtime/log.ts';

/**
 * Brings the database to this release's schema and ends: run as the database's owner before the first process of the release.
 * Several at once wait for each other; a second run finds nothing to do. Exit code 0: done. 1: not done, a further run may
 * help. 2: the configuration has to change first.
 */
const MIGRATION_TIMEOUT_MS = 15 * 60_000;

try {
  const config = loadMigrationConfig();
  const log = createLog('migration', config.logLevel);
  const postgres = connectPostgres({
    url: config.postgresUrl,
    access: postgresAccess(config),
    poolSize: 2,
    applicationName: 'migration',
    statementTimeoutMs: MIGRATION_TIMEOUT_MS,
    idleInTransactionTimeoutMs: MIGRATION_TIMEOUT_MS,
  });
  try {
    const ran = await migrate(postgres.db);
    await ensurePartitions(postgres.db, systemClock.now());
    // Last, when the schema is there: from here on workers of the release before put back what only this one can read.
    await registerSchemaVersions(postgres.db, registry, systemClock.now());
    const logins = await allowIamLogins(postgres.db);
    log.info('the database has the schema of this release', { ran, logins });
  } finally {
    await postgres.close();
  }
} catch (error) {
  const configuration = error instanceof LanewayError && error.code === 'config.invalid';
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = configuration ? 2 : 1;
}
