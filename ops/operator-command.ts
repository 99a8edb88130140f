import { createActivations, type Activations } from '../workers/activate.ts';
import type { Kysely } from 'kysely';
import type { Redis } from 'ioredis';
import { connectPostgres } from '../core/clients/postgres.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { checkSchema } from '../core/database/migrate.ts';
import type { Database } from '../core/database/tables.ts';
import type { OperatorConfig } from '../core/runtime/config.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { bullPrefix } from '../core/runtime/queue-names.ts';
import { SystemNotFound, findSystem } from './find-system.ts';
import { explain } from './local/progress.ts';

/** The system that an operator's command talks to. */
export interface OperatorSystem {
  config: OperatorConfig;
  db: Kysely<Database>;
  redis: Redis;
  activations: Activations;
}

/** What a command says: for programs, and for people. */
export interface Said {
  value: unknown;
  text: string;
  /** False when something is left to do. */
  complete?: boolean;
}

/** A window holds its lane for less than a lease; a command waits for one, not for ever. */
const LOCK_TIMEOUT_MS = 30_000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Finds the system, runs a command on it and prints what it says. Resolves with the exit code: 0 done, or nothing to do;
 * 1 a server did not play along, or something is left; 2 the command cannot be meant as it stands.
 */
export async function runOperatorCommand(
  { dataDir, json }: { dataDir: string | undefined; json: boolean },
  work: (system: OperatorSystem) => Promise<Said>,
): Promise<number> {
  try {
    const { config, aws } = findSystem(dataDir, process.env);
    // The AWS SDK reads its endpoints from the environment.
    Object.assign(process.env, aws);
    const { value, text, complete } = await connected(config, work);
    process.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
    return complete === false ? 1 : 0;
  } catch (error) {
    say(explain(error));
    return meantWrongly(error) ? 2 : 1;
  }
}

const meantWrongly = (error: unknown): boolean =>
  error instanceof SystemNotFound ||
  (error instanceof LanewayError && ['resource.not_found', 'operators.refused', 'config.invalid'].includes(error.code));

async function connected(config: OperatorConfig, work: (system: OperatorSystem) => Promise<Said>): Promise<Said> {
  const postgres = connectPostgres({
    url: config.postgresUrl,
    poolSize: 2,
    applicationName: 'laneway-operator',
    statementTimeoutMs: LOCK_TIMEOUT_MS + 5_000,
    idleInTransactionTimeoutMs: 10_000,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  const redis = connectRedis(config.redisUrl, 'laneway-operator');
  const { stack, activationPartitions: partitions } = config;
  const activations = createActivations({
    ...{ redis, prefix: bullPrefix(stack), partitions, worker: 'operator', clock: systemClock },
    // Nothing is claimed here.
    leaseMs: 30_000,
  });
  try {
    await checkSchema(postgres.db);
    return await work({ config, db: postgres.db, redis, activations });
  } finally {
    // Not closed, which would wait for a Redis that is away.
    redis.disconnect();
    await postgres.close();
  }
}
