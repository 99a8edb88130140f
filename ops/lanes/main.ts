/**
 * `npm run lanes`: what operators see of merchants' lanes and tell them. Exit code 0: done, or nothing to do. 1: a server
 * did not play along. 2: the command cannot be meant as it stands.
 */
import { userInfo } from 'node:os';
import { createActivations } from '../../workers/activate.ts';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { connectRedis } from '../../core/clients/redis.ts';
import { checkSchema } from '../../core/database/migrate.ts';
import { registry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import type { OperatorConfig } from '../../core/runtime/config.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { bullPrefix } from '../../core/runtime/queue-names.ts';
import { SystemNotFound, findSystem } from '../find-system.ts';
import { explain } from '../local/progress.ts';
import { parseArguments, usage } from './parse-arguments.ts';
import { type LanesDependencies, type Said, runLanesCommand } from './run-command.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2), userInfo().username);
  switch (parsed.kind) {
    case 'help':
      process.stdout.write(usage);
      return 0;
    case 'invalid':
      say(`${parsed.message}\n\n${usage.trimEnd()}`);
      return 2;
    case 'run': {
      try {
        const { config } = findSystem(parsed.dataDir, process.env);
        const { value, text } = await connected(config, (deps) => runLanesCommand(deps, parsed.command));
        process.stdout.write(`${parsed.json ? JSON.stringify(value) : text}\n`);
        return 0;
      } catch (error) {
        say(explain(error));
        return meantWrongly(error) ? 2 : 1;
      }
    }
    default:
      return parsed satisfies never;
  }
}

const meantWrongly = (error: unknown): boolean =>
  error instanceof SystemNotFound ||
  (error instanceof LanewayError && ['resource.not_found', 'operators.refused', 'config.invalid'].includes(error.code));

/** A window holds its lane for less than a lease; a command waits for one, not for ever. */
const LOCK_TIMEOUT_MS = 30_000;

async function connected(config: OperatorConfig, work: (deps: LanesDependencies) => Promise<Said>): Promise<Said> {
  const postgres = connectPostgres({
    url: config.postgresUrl,
    poolSize: 2,
    applicationName: 'laneway-operator',
    statementTimeoutMs: LOCK_TIMEOUT_MS + 5_000,
    idleInTransactionTimeoutMs: 10_000,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  const redis = connectRedis(config.redisUrl, 'laneway-operator');
  const { stack, laneCap } = config;
  const activations = createActivations({
    redis,
    prefix: bullPrefix(stack),
    partitions: config.activationPartitions,
    worker: 'operator',
    // Nothing is claimed here.
    leaseMs: 30_000,
    clock: systemClock,
  });
  try {
    await checkSchema(postgres.db);
    return await work({ db: postgres.db, redis, activations, stack, laneCap, registry, clock: systemClock });
  } finally {
    // Not closed, which would wait for a Redis that is away.
    redis.disconnect();
    await postgres.close();
  }
}

process.exitCode = await main();
