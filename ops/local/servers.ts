import { join } from 'node:path';
import { dataPaths } from './data-folder.ts';
import { startDynamo } from './dynamo/start.ts';
import { startEmulator } from './emulator/start.ts';
import { startFakeNetworks } from './fake-networks/start.ts';
import { type KeptServer, type Server, keepServer } from './keep-server.ts';
import type { ProcessRecord } from './leftovers.ts';
import type { Ports } from './ports.ts';
import { startPostgres } from './postgres.ts';
import type { Progress } from './progress.ts';
import { startRedis } from './redis.ts';
import type { Secrets } from './secrets.ts';
import type { Teardown } from './teardown.ts';

export interface ServersOptions {
  readonly dataDir: string;
  readonly secrets: Secrets;
  readonly ports: Ports;
  readonly record: ProcessRecord;
  readonly progress: Progress;
  readonly teardown: Teardown;
  readonly log: (line: string) => void;
  /** Puts back what the emulator has forgotten after an unexpected end. */
  readonly reprovision: () => Promise<void>;
}

/**
 * The servers that stand for what the cloud provides, side by side. Rejects once all have come up or failed, with
 * everything that runs registered in `teardown`, so that a failure leaves nothing behind.
 */
export async function startServers(options: ServersOptions) {
  const { dataDir, secrets, ports, record, progress, log } = options;
  const paths = dataPaths(dataDir);
  const logOf = (name: string) => join(paths.logs, `${name}.log`);
  const port = {
    postgres: await ports.pick('postgres'),
    redis: await ports.pick('redis'),
    emulator: await ports.pick('emulator'),
    dynamo: await ports.pick('dynamo'),
    networks: await ports.pick('networks'),
  };
  const keep = <S extends Server>(
    name: string,
    start: (onUnexpectedExit: (reason: string) => void) => Promise<S>,
    afterRestart?: () => Promise<void>,
  ): Promise<KeptServer<S>> =>
    progress.step(
      name,
      () =>
        keepServer({
          name,
          start,
          log,
          onSpawn: record.add,
          onExit: record.drop,
          ...(afterRestart === undefined ? {} : { afterRestart }),
        }),
      (server) => `${name} on 127.0.0.1:${server.current.port}`,
    );

  const starts = {
    postgres: keep('PostgreSQL 18', (onUnexpectedExit) =>
      startPostgres({
        dataDir: paths.postgres,
        port: port.postgres,
        password: secrets.superuserPassword,
        logFile: logOf('postgres'),
        onLog: progress.note,
        onUnexpectedExit,
      }),
    ),
    redis: keep('Redis', (onUnexpectedExit) =>
      startRedis({
        dir: paths.redis,
        port: port.redis,
        appendOnly: true,
        logFile: logOf('redis'),
        onLog: progress.note,
        onUnexpectedExit,
      }),
    ),
    emulator: keep(
      'SQS, SNS and S3',
      (onUnexpectedExit) =>
        startEmulator({
          port: port.emulator,
          stateFile: paths.emulatorState,
          logFile: logOf('emulator'),
          onUnexpectedExit,
        }),
      options.reprovision,
    ),
    dynamo: keep(
      'DynamoDB',
      (onUnexpectedExit) =>
        startDynamo({ dir: paths.dynamo, port: port.dynamo, logFile: logOf('dynamo'), onUnexpectedExit }),
      options.reprovision,
    ),
    networks: keep('fake ad networks and mailbox', (onUnexpectedExit) =>
      startFakeNetworks({ dir: paths.networks, port: port.networks, logFile: logOf('networks'), onUnexpectedExit }),
    ),
  };
  const results = await Promise.allSettled(Object.values(starts));
  const names = ['PostgreSQL', 'Redis', 'SQS, SNS and S3', 'DynamoDB', 'the fake networks'];
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') options.teardown.add(names[index], () => result.value.stop());
  }
  return {
    postgres: await starts.postgres,
    redis: await starts.redis,
    emulator: await starts.emulator,
    dynamo: await starts.dynamo,
    networks: await starts.networks,
  };
}

export type Servers = Awaited<ReturnType<typeof startServers>>;
