import { join } from 'node:path';
import { type Addresses, resolveAddresses } from '../../core/clients/addresses.ts';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { type Postgres, connectPostgres } from '../../core/clients/postgres.ts';
import { connectS3 } from '../../core/clients/s3.ts';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { type Registry, registry as laneway } from '../../core/events/registry.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { allOrFailure } from './all-or-failure.ts';
import { dataPaths, projectRoot } from './data-folder.ts';
import { databaseName, prepareDatabase } from './database.ts';
import type { ProcessRecord } from './leftovers.ts';
import { openPorts } from './ports.ts';
import {
  type StackAddresses,
  accessKeyId,
  account,
  awsEnvironment,
  consoleEnvironment,
  drainMs,
  gatewayEnvironment,
  opsUser,
  region,
  secretAccessKey,
  stackName,
  workerEnvironment,
} from './process-environment.ts';
import type { Progress } from './progress.ts';
import { provision } from './provision.ts';
import { type Secrets, loadSecrets, saveSecrets } from './secrets.ts';
import { type Servers, startServers } from './servers.ts';
import { type Stack, createStackFile } from './stack-file.ts';
import { type BackoffPolicy, type Supervised, supervise } from './supervisor.ts';
import type { Teardown } from './teardown.ts';

/** What a stack runs in place of the product's own parts, for runs that stand between them and disturb them. */
export interface StackVariant {
  readonly registry: Registry;
  /** Relative to the project. */
  readonly workerScript: string;
  readonly workerEnvironment: (name: string) => Readonly<Record<string, string>>;
  readonly workerBackoff: BackoffPolicy;
  /** The addresses that everything but the servers themselves is told. What it starts goes into `teardown`. */
  readonly between: (addresses: StackAddresses, teardown: Teardown) => Promise<StackAddresses>;
}

export interface StackOptions {
  readonly dataDir: string;
  /** Where to say how the system can be reached. */
  readonly stackFiles: readonly string[];
  readonly workers: number;
  readonly gatewayPort: number | undefined;
  readonly opsPort: number | undefined;
  /** Whether to try the ports that people remember first. */
  readonly usualPorts: boolean;
  readonly record: ProcessRecord;
  readonly progress: Progress;
  readonly teardown: Teardown;
  /** What happens while it runs: deaths and restarts. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  readonly variant?: StackVariant;
}

export interface RunningStack {
  describe: () => Stack;
  readonly clients: ReturnType<typeof connectClients>;
  readonly addresses: Addresses;
  readonly reader: Postgres;
  readonly servers: Servers;
  readonly secrets: Secrets;
  readonly workers: readonly Supervised[];
}

/**
 * Brings up the whole system: servers, then database and queues, then our own processes. Everything it starts is
 * registered in `teardown` before the next step begins, also when it rejects.
 */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const { dataDir, record, progress, teardown, log, signal, variant } = options;
  const registry = variant?.registry ?? laneway;
  const secrets = loadSecrets(dataDir);
  const ports = openPorts(dataDir);
  const usual = options.usualPorts ? { gateway: 8_787, ops: 8_788 } : { gateway: undefined, ops: undefined };
  // Before anything is started: a port that is taken should be known at once.
  const gatewayPort = await portFor(
    '--port-gateway',
    options.gatewayPort,
    () => ports.pick('gateway', usual.gateway),
    ports.claim,
  );
  const opsPort = await portFor('--port-ops', options.opsPort, () => ports.pick('ops', usual.ops), ports.claim);
  for (const [name, port, wanted] of [
    ['gateway', gatewayPort, options.gatewayPort ?? usual.gateway],
    ['console', opsPort, options.opsPort ?? usual.ops],
  ] as const) {
    if (wanted !== undefined && port !== wanted) progress.note(`port ${wanted} is in use, the ${name} takes ${port}`);
  }

  let reprovision = async (): Promise<void> => undefined;
  const servers = await startServers({
    ...{ dataDir, secrets, ports, record, progress, teardown, log },
    reprovision: () => reprovision(),
  });
  signal.throwIfAborted();

  const direct = addressesOf(servers, secrets);
  const addresses = variant === undefined ? direct : await variant.between(direct, teardown);
  // The SDK reads its endpoints from the environment; the clients of this process go where those of the others go.
  Object.assign(process.env, awsEnvironment(addresses));
  const clients = connectClients();
  reprovision = () => provision(clients, { registry, stack: stackName, region, account });
  const [database] = await allOrFailure([
    progress.step(
      'database',
      () => prepareDatabase(servers.postgres.current, secrets, () => saveSecrets(dataDir, secrets)),
      ({ migrations }) => (migrations === 0 ? 'database is up to date' : `database: ${migrations} migrations`),
    ),
    progress.step('queues, topics and tables', reprovision),
  ]);
  signal.throwIfAborted();
  const queueAddresses = await resolveAddresses(clients.sqs, topologyOf(registry, stackName), { region, account });
  const reader = connectPostgres({
    url: addresses.databaseUrl('laneway_reader'),
    poolSize: 2,
    applicationName: 'laneway-start',
    statementTimeoutMs: 60_000,
    idleInTransactionTimeoutMs: 60_000,
  });
  teardown.add(undefined, async () => {
    for (const client of Object.values(clients)) client.destroy();
    await reader.close();
  });

  let publish = (): void => undefined;
  const processes = startProcesses({ ...options, gatewayPort, opsPort }, { addresses, secrets }, () => publish());
  const { gateway, console: opsConsole, workers } = await processes.ready;
  signal.throwIfAborted();

  const startedAt = new Date().toISOString();
  const describe = (): Stack => ({
    pid: process.pid,
    startedAt,
    gatewayUrl: gateway.url,
    opsUrl: opsConsole.url,
    opsLogin: { user: opsUser, password: secrets.opsPassword },
    bullBoardUrl: `${opsConsole.url}/queues`,
    docsUrl: `${gateway.url}/docs`,
    mailboxUrl: `${addresses.networksUrl}/mailbox`,
    postgresUrl: addresses.databaseUrl('laneway_reader'),
    redisUrl: addresses.redisUrl,
    sqsEndpoint: addresses.emulatorEndpoint,
    snsEndpoint: addresses.emulatorEndpoint,
    s3Endpoint: addresses.emulatorEndpoint,
    dynamodbEndpoint: addresses.dynamodbEndpoint,
    region,
    accessKeyId,
    secretAccessKey,
    adNetworkUrl: addresses.networksUrl,
    corePlatformSecret: secrets.corePlatformSecret,
    workers: workers.flatMap(({ pid }) => (pid === undefined ? [] : [{ pid }])),
    queues: queueAddresses.queues,
    topics: queueAddresses.topics,
    merchants: [...database.merchants],
  });
  const stackFile = createStackFile(options.stackFiles);
  publish = () => stackFile.write(describe());
  publish();
  teardown.add(undefined, () => {
    publish = () => undefined;
    stackFile.remove();
  });
  return { describe, clients, addresses: queueAddresses, reader, servers, secrets, workers };
}

async function portFor(
  flag: string,
  wanted: number | undefined,
  pick: () => Promise<number>,
  claim: (flag: string, port: number) => Promise<number>,
): Promise<number> {
  return wanted === undefined ? await pick() : await claim(flag, wanted);
}

const connectClients = () => ({
  sqs: connectSQS(),
  sns: connectSNS(),
  s3: connectS3(),
  dynamodb: connectDynamoDB(),
});

export function addressesOf(servers: Servers, secrets: Secrets): StackAddresses {
  const passwords = {
    laneway_worker: secrets.workerPassword,
    laneway_gateway: secrets.gatewayPassword,
    laneway_reader: secrets.readerPassword,
  };
  return {
    redisUrl: servers.redis.current.url,
    emulatorEndpoint: servers.emulator.current.endpoint,
    dynamodbEndpoint: servers.dynamo.current.endpoint,
    networksUrl: servers.networks.current.url,
    databaseUrl: (role) => servers.postgres.current.url(role, passwords[role], databaseName),
  };
}

interface OwnProcesses {
  gateway: Supervised;
  console: Supervised;
  workers: readonly Supervised[];
}

/** Workers, gateway and console side by side. They stop in the order console and gateway, then workers. */
function startProcesses(
  options: StackOptions & { gatewayPort: number; opsPort: number },
  stack: { addresses: StackAddresses; secrets: Secrets },
  onChange: () => void,
): { ready: Promise<OwnProcesses> } {
  const { dataDir, record, progress, teardown, log, variant } = options;
  const start = (name: string, script: string, env: Record<string, string>, backoff?: BackoffPolicy) =>
    supervise({
      name,
      script: join(projectRoot, script),
      env,
      logFile: join(dataPaths(dataDir).logs, `${name}.log`),
      log,
      // Its own deadline comes first, and then says what it was waiting for.
      graceMs: drainMs + 3_000,
      ...(backoff === undefined ? {} : { backoff }),
      onSpawn: (pid) => {
        record.add(name, pid);
        onChange();
      },
      onExit: (pid) => {
        record.drop(pid);
        onChange();
      },
    });
  const workers = Array.from({ length: options.workers }, (_, index) => {
    const name = `worker-${index + 1}`;
    const env = { ...workerEnvironment(stack, name, options.workers), ...variant?.workerEnvironment(name) };
    return start(name, variant?.workerScript ?? 'workers/main.ts', env, variant?.workerBackoff);
  });
  const gateway = start('gateway', 'gateway/main.ts', gatewayEnvironment(stack, options.gatewayPort));
  const opsConsole = start('console', 'dashboards/main.ts', consoleEnvironment(stack, options.opsPort));
  const stopStarted = async (starts: readonly Promise<Supervised>[]) => {
    const settled = await Promise.allSettled(starts);
    await Promise.all(settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value.stop()] : [])));
  };
  teardown.add('workers', () => stopStarted(workers));
  teardown.add('gateway and console', () => stopStarted([gateway, opsConsole]));

  const ready = async (): Promise<OwnProcesses> => {
    const [all, gatewayUp, consoleUp] = await allOrFailure([
      progress.step(
        'workers',
        () => Promise.all(workers),
        ({ length }) => `${length} worker${length === 1 ? '' : 's'}`,
      ),
      progress.step(
        'gateway',
        () => gateway,
        ({ url }) => `gateway on ${url}`,
      ),
      progress.step(
        'console',
        () => opsConsole,
        ({ url }) => `console on ${url}`,
      ),
    ]);
    return { gateway: gatewayUp, console: consoleUp, workers: all };
  };
  return { ready: ready() };
}
