import { sql } from 'kysely';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { ensurePartitions, migrate } from '../../core/database/migrate.ts';
import { registerSchemaVersions } from '../../core/database/schema-versions.ts';
import { registry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { type DemoMerchant, ensureDemoMerchants } from './demo-merchants.ts';
import type { RunningPostgres } from './postgres.ts';
import type { Secrets } from './secrets.ts';

export const databaseName = 'laneway';

/** One connection as the superuser, for what only the owner of a database may do. */
const connectAdmin = (postgres: Pick<RunningPostgres, 'url'>, secrets: Secrets, database: string) =>
  connectPostgres({
    url: postgres.url('postgres', secrets.superuserPassword, database),
    poolSize: 1,
    applicationName: 'laneway-start',
    statementTimeoutMs: 120_000,
    idleInTransactionTimeoutMs: 60_000,
  });

export interface PreparedDatabase {
  readonly migrations: number;
  readonly merchants: readonly DemoMerchant[];
}

/** Database, schema, partitions, passwords of the roles, demo merchants. Leaves alone what is there already. */
export async function prepareDatabase(
  postgres: Pick<RunningPostgres, 'url'>,
  secrets: Secrets,
  saveSecrets: () => void,
): Promise<PreparedDatabase> {
  await createDatabase(postgres, secrets);
  const admin = connectAdmin(postgres, secrets, databaseName);
  try {
    const migrations = await migrate(admin.db);
    await registerSchemaVersions(admin.db, registry, systemClock.now());
    await ensurePartitions(admin.db, systemClock.now());
    const roles = {
      laneway_worker: secrets.workerPassword,
      laneway_gateway: secrets.gatewayPassword,
      laneway_reader: secrets.readerPassword,
      laneway_operator: secrets.operatorPassword,
    };
    for (const [role, password] of Object.entries(roles)) {
      await sql`alter role ${sql.id(role)} with login password ${sql.lit(password)}`.execute(admin.db);
    }
    const merchants = await ensureDemoMerchants(admin.db, secrets, saveSecrets);
    return { migrations: migrations.length, merchants };
  } finally {
    await admin.close();
  }
}

async function createDatabase(postgres: Pick<RunningPostgres, 'url'>, secrets: Secrets): Promise<void> {
  const admin = connectAdmin(postgres, secrets, 'postgres');
  try {
    const existing = await sql`select from pg_database where datname = ${databaseName}`.execute(admin.db);
    if (existing.rows.length === 0) await sql`create database ${sql.id(databaseName)}`.execute(admin.db);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === '28P01')
      throw new Error(
        'PostgreSQL refuses the password of secrets.json: the two are from different runs. Start over with --fresh.',
        { cause },
      );
    throw cause;
  } finally {
    await admin.close();
  }
}
