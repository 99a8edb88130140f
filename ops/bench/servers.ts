import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { type Postgres, connectPostgres } from '../../core/clients/postgres.ts';
import { ensurePartitions, migrate } from '../../core/database/migrate.ts';
import type { Database } from '../../core/database/tables.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { startDynamo } from '../local/dynamo/start.ts';
import { startEmulator } from '../local/emulator/start.ts';
import { startFakeNetworks } from '../local/fake-networks/start.ts';
import { startPostgres } from '../local/postgres.ts';
import { startRedis } from '../local/redis.ts';
import type { Teardown } from '../local/teardown.ts';
import { removeAbandonedStacks } from '../testing-stack.ts';

export interface BenchDatabase extends AsyncDisposable {
  url: string;
  name: string;
  db: Kysely<Database>;
}

export interface Emulators {
  /** What a process finds SQS, SNS, S3 and DynamoDB by. */
  env: Record<string, string>;
  networksUrl: string;
  pids: { emulator: number; dynamo: number };
  stop(): Promise<void>;
}

export interface BenchServers {
  redisUrl: string;
  pids: { postgres: number; redis: number };
  /** Folder for logs and profiles, removed at the end. */
  dir: string;
  /** An empty database with the product's schema. */
  createDatabase(): Promise<BenchDatabase>;
  /** Started when a part first asks. */
  emulators(): Promise<Emulators>;
  /** Nothing that a part left behind is paid for by the next: pages yet to be flushed, or emulators full of messages. */
  beginPart(): Promise<void>;
  /** As the servers answer, for the report. */
  settings(): Promise<Record<string, string>>;
}

const folderPrefix = 'laneway-bench-';
const password = 'laneway-bench';
const template = 'bench_template';
const redisMemoryMb = 4_096;

/**
 * Servers of a run's own on free loopback ports: Postgres with everything that makes a commit durable, Redis as the local
 * stack and production have it. All that starts is registered in `teardown` first. Commit timestamps are on: they tell to
 * the microsecond, and for every contender alike, when an effect became durable, without asking while the clock runs.
 */
export async function startBenchServers(teardown: Teardown): Promise<BenchServers> {
  await removeAbandonedStacks(folderPrefix);
  const dir = mkdtempSync(join(tmpdir(), folderPrefix));
  teardown.add(undefined, () => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'owner'), String(process.pid));
  // mkdtemp gives 0700, which the user that PostgreSQL runs as could not enter.
  chmodSync(dir, 0o755);
  const stoppable = async <S extends { stop(): Promise<void> }>(start: Promise<S>): Promise<S> => {
    const server = await start;
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= server.stop());
    teardown.add(undefined, stop);
    return { ...server, stop };
  };
  const [postgres, redis] = await Promise.all([
    stoppable(startPostgres({ dataDir: join(dir, 'postgres'), password, settings: { track_commit_timestamp: 'on' } })),
    stoppable(startRedis({ dir: join(dir, 'redis'), appendOnly: true, maxMemoryMb: redisMemoryMb })),
  ]);
  const open = (database: string, poolSize: number): Postgres =>
    connectPostgres({
      url: postgres.url('postgres', password, database),
      poolSize,
      applicationName: 'laneway-bench',
      statementTimeoutMs: 300_000,
      idleInTransactionTimeoutMs: 300_000,
    });
  const admin = open('postgres', 1);
  teardown.add(undefined, () => admin.close());
  await sql`create database ${sql.id(template)}`.execute(admin.db);
  const migrated = open(template, 1);
  await migrate(migrated.db);
  await ensurePartitions(migrated.db, systemClock.now());
  await migrated.close();

  const startEmulators = async (): Promise<Emulators> => {
    const [emulator, dynamo, networks] = await Promise.all([
      stoppable(startEmulator({ logFile: join(dir, 'emulator.log') })),
      stoppable(startDynamo({ logFile: join(dir, 'dynamo.log') })),
      stoppable(startFakeNetworks({ dir: join(dir, 'networks'), logFile: join(dir, 'networks.log') })),
    ]);
    const env = {
      AWS_ENDPOINT_URL_SQS: emulator.endpoint,
      AWS_ENDPOINT_URL_SNS: emulator.endpoint,
      AWS_ENDPOINT_URL_S3: emulator.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    };
    // The SDK reads its endpoints from the environment: the clients of this process go where those of the workers go.
    Object.assign(process.env, env);
    const stop = async () => void (await Promise.all([emulator.stop(), dynamo.stop(), networks.stop()]));
    return { env, networksUrl: networks.url, pids: { emulator: emulator.pid, dynamo: dynamo.pid }, stop };
  };
  let emulators: Promise<Emulators> | undefined;

  return {
    redisUrl: redis.url,
    pids: { postgres: postgres.pid, redis: redis.pid },
    dir,
    emulators: () => (emulators ??= startEmulators()),
    async beginPart() {
      const used = await emulators;
      emulators = undefined;
      await used?.stop();
      await sql`checkpoint`.execute(admin.db);
    },
    async createDatabase() {
      const name = `bench_${randomBytes(5).toString('hex')}`;
      await sql`create database ${sql.id(name)} template ${sql.id(template)}`.execute(admin.db);
      const own = open(name, 2);
      return {
        url: postgres.url('postgres', password, name),
        name,
        db: own.db,
        async [Symbol.asyncDispose]() {
          await own.close();
          await sql`drop database if exists ${sql.id(name)} with (force)`.execute(admin.db);
        },
      };
    },
    async settings() {
      const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'shared_buffers'];
      const { rows } = await sql<{ name: string; setting: string }>`
        select name, current_setting(name) as setting from unnest(${names}::text[]) as t (name)
      `.execute(admin.db);
      return {
        ...Object.fromEntries(rows.map(({ name, setting }) => [`postgres.${name}`, setting])),
        'redis.maxmemory-policy': 'noeviction',
        'redis.appendonly': 'yes',
        'redis.appendfsync': 'everysec',
      };
    },
  };
}
