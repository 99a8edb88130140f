import { type Kysely, sql } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import { DAY_MS, dayOf } from '../runtime/clock.ts';
import { LanewayError } from '../runtime/errors.ts';
import type { Database } from './tables.ts';

/** The version of the schema that this code was written for. */
export const schemaVersion = 54;

const migrations: Record<string, () => Promise<Migration>> = {
  '0001-engine': () => import('./migrations/0001-engine.ts'),
  '0002-contexts': () => import('./migrations/0002-contexts.ts'),
  '0003-roles': () => import('./migrations/0003-roles.ts'),
  '0004-operators': () => import('./migrations/0004-operators.ts'),
  '0005-limits': () => import('./migrations/0005-limits.ts'),
  '0010-schedules': () => import('./migrations/0010-schedules.ts'),
  '0011-schema-versions': () => import('./migrations/0011-schema-versions.ts'),
  '0012-access': () => import('./migrations/0012-access.ts'),
  '0013-retention': () => import('./migrations/0013-retention.ts'),
  '0015-ad-networks': () => import('./migrations/0015-ad-networks.ts'),
  '0016-campaigns': () => import('./migrations/0016-campaigns.ts'),
  '0017-audiences': () => import('./migrations/0017-audiences.ts'),
  '0019-product-feeds': () => import('./migrations/0019-product-feeds.ts'),
  '0020-reporting': () => import('./migrations/0020-reporting.ts'),
  '0023-notifications': () => import('./migrations/0023-notifications.ts'),
  '0024-webhooks': () => import('./migrations/0024-webhooks.ts'),
  '0025-billing': () => import('./migrations/0025-billing.ts'),
  '0026-affiliates': () => import('./migrations/0026-affiliates.ts'),
  '0029-handler-starts': () => import('./migrations/0029-handler-starts.ts'),
  '0033-promotions': () => import('./migrations/0033-promotions.ts'),
  '0034-campaign-rules': () => import('./migrations/0034-campaign-rules.ts'),
  '0035-product-imports': () => import('./migrations/0035-product-imports.ts'),
  '0036-ad-objects': () => import('./migrations/0036-ad-objects.ts'),
  '0037-products-in-reports': () => import('./migrations/0037-products-in-reports.ts'),
  '0038-retention-classes': () => import('./migrations/0038-retention-classes.ts'),
  '0039-maintenance': () => import('./migrations/0039-maintenance.ts'),
  '0040-merchant-quotas': () => import('./migrations/0040-merchant-quotas.ts'),
  '0040-sealed-contacts': () => import('./migrations/0040-sealed-contacts.ts'),
  '0041-monthly-tables': () => import('./migrations/0041-monthly-tables.ts'),
  '0042-unused-table': () => import('./migrations/0042-unused-table.ts'),
  '0043-first-keys': () => import('./migrations/0043-first-keys.ts'),
  '0044-compared-ad-objects': () => import('./migrations/0044-compared-ad-objects.ts'),
  '0045-ads-followed': () => import('./migrations/0045-ads-followed.ts'),
  '0046-sealed-bodies': () => import('./migrations/0046-sealed-bodies.ts'),
  '0047-archive-parts': () => import('./migrations/0047-archive-parts.ts'),
  '0048-report-rollups': () => import('./migrations/0048-report-rollups.ts'),
  '0051-compared-settings': () => import('./migrations/0051-compared-settings.ts'),
  '0054-sweep-turn': () => import('./migrations/0054-sweep-turn.ts'),
};

const provider: MigrationProvider = {
  async getMigrations() {
    const loaded = await Promise.all(
      Object.entries(migrations).map(async ([name, load]) => [name, await load()] as const),
    );
    return Object.fromEntries(loaded);
  },
};

/** Brings the database to this code's schema; needs the owner of the database. Returns the names of what it ran. */
export async function migrate(db: Kysely<Database>): Promise<readonly string[]> {
  const { error, results } = await new Migrator({
    db,
    provider,
    // Migrations of different contexts only add, each its own tables: one that was finished later may have a lower number.
    allowUnorderedMigrations: true,
  }).migrateToLatest();
  const failed = results?.find((result) => result.status === 'Error');
  if (error !== undefined) throw new Error(`migration ${failed?.migrationName ?? ''} failed`, { cause: error });
  return (results ?? []).map((result) => result.migrationName);
}

/** Partitioned by the month of a time, each with a partition for what has none of its own but the first. */
const monthlyTables = ['audit_log', 'webhook_attempts', 'affiliate_clicks'] as const;

/**
 * Makes the partitions around `nowMs`. Run at start and by the sweeper; without the partition of its day an event
 * cannot be accepted and stays in SQS.
 */
export async function ensurePartitions(db: Kysely<Database>, nowMs: number): Promise<void> {
  await sql`select ensure_day_partitions(${dayOf(nowMs - DAY_MS)}::date, ${dayOf(nowMs + 7 * DAY_MS)}::date)`.execute(
    db,
  );
  await ensureMonths(db, nowMs - DAY_MS);
}

/** Makes the partitions of a month and of the two after it, of all tables that have months. */
export async function ensureMonths(db: Kysely<Database>, firstMs: number): Promise<void> {
  for (const table of monthlyTables)
    await sql`select ensure_month_partitions(${table}, ${dayOf(firstMs)}::date, 3)`.execute(db);
}

/**
 * Refuses a database whose schema broke with this code's. A newer schema that only added things is fine, so that old and
 * new processes run side by side during a rollout.
 */
export async function checkSchema(db: Kysely<Database>): Promise<void> {
  const info = await db.selectFrom('schema_info').selectAll().executeTakeFirst();
  if (info === undefined || info.version < schemaVersion)
    throw new LanewayError(
      'schema.missing',
      `the database has schema ${info?.version ?? 0}, this code needs ${schemaVersion}: run the migrations first`,
    );
  if (info.breaking_version > schemaVersion)
    throw new LanewayError(
      'schema.newer',
      `the database needs code of schema ${info.breaking_version} or newer, this is ${schemaVersion}`,
    );
}
