import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './local/child-process.ts';
import { startDynamo } from './local/dynamo/start.ts';
import { startEmulator } from './local/emulator/start.ts';
import { startFakeNetworks } from './local/fake-networks/start.ts';
import { startPostgres, stopLeftoverPostgres } from './local/postgres.ts';
import { startRedis, stopLeftoverRedis } from './local/redis.ts';

export interface TestingStack {
  /** What a test process finds the servers by. */
  readonly env: Record<string, string>;
  /** Leaves no process and no folder. */
  stop(): Promise<void>;
}

/**
 * Real servers for one test run, empty, on free loopback ports, in a temporary folder. Each test file makes its own
 * database, key prefix and queue names.
 */
export async function startTestingStack(): Promise<TestingStack> {
  await removeAbandonedStacks(folderPrefix);
  const dir = mkdtempSync(join(tmpdir(), folderPrefix));
  writeFileSync(join(dir, 'owner'), String(process.pid));
  // mkdtemp gives 0700, which the user that PostgreSQL runs as could not enter.
  chmodSync(dir, 0o755);
  const password = 'laneway-test';
  const starts = {
    postgres: startPostgres({ dataDir: join(dir, 'postgres'), password, durable: false }),
    redis: startRedis({ dir: join(dir, 'redis') }),
    emulator: startEmulator({ logFile: join(dir, 'emulator.log') }),
    dynamo: startDynamo({ logFile: join(dir, 'dynamo.log') }),
    networks: startFakeNetworks({ dir: join(dir, 'networks'), logFile: join(dir, 'networks.log') }),
  };
  const stop = async () => {
    try {
      const started = (await Promise.allSettled(Object.values(starts))).filter((start) => start.status === 'fulfilled');
      await Promise.all(started.map(({ value }) => value.stop()));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  };
  try {
    const [postgres, redis, emulator, dynamo, networks] = await Promise.all([
      starts.postgres,
      starts.redis,
      starts.emulator,
      starts.dynamo,
      starts.networks,
    ]);
    const env = {
      LANEWAY_TEST_POSTGRES_URL: postgres.url('postgres', password, 'postgres'),
      LANEWAY_TEST_REDIS_URL: redis.url,
      AWS_ENDPOINT_URL_SQS: emulator.endpoint,
      AWS_ENDPOINT_URL_SNS: emulator.endpoint,
      AWS_ENDPOINT_URL_S3: emulator.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL_SESV2: networks.url,
      LANEWAY_TEST_NETWORKS_URL: networks.url,
    };
    return { env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const folderPrefix = 'laneway-test-';

/**
 * Of a run that was killed with -9, the Node processes have noticed and gone; PostgreSQL and Redis have not. Its folder
 * begins with `prefix` and says in a file `owner` whose it was.
 */
export async function removeAbandonedStacks(prefix: string): Promise<void> {
  const quietly = () => {};
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const dir = join(tmpdir(), name);
    const owner = ownerOf(dir);
    if (owner === undefined || isAlive(owner)) continue;
    await stopLeftoverPostgres(join(dir, 'postgres'), quietly);
    await stopLeftoverRedis(join(dir, 'redis'), quietly);
    rmSync(dir, { recursive: true, force: true });
  }
}

function ownerOf(dir: string): number | undefined {
  try {
    return Number(readFileSync(join(dir, 'owner'), 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

/** `node ops/testing-stack.ts -- node some.test.ts`: one command against a stack of its own. */
async function runOne([command, ...args]: string[]): Promise<number> {
  if (command === undefined) {
    console.error('usage: node ops/testing-stack.ts -- <command> [arguments]');
    return 2;
  }
  let child: ChildProcess | undefined;
  // Ctrl-C reaches the command too, and what is left to do here is to clean up after it. SIGTERM comes here alone.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child?.kill('SIGTERM'));
  const stack = await startTestingStack();
  try {
    child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...stack.env } });
    const exit: unknown[] = await once(child, 'exit');
    return typeof exit[0] === 'number' ? exit[0] : 1;
  } finally {
    await stack.stop();
  }
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  process.exitCode = await runOne(args[0] === '--' ? args.slice(1) : args);
}
