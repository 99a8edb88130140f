import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { connectRedis } from '../../core/clients/redis.ts';
import { connectS3 } from '../../core/clients/s3.ts';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { type Addresses, resolveAddresses } from '../../core/clients/addresses.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { type RunningChild, answersHttp, startChild } from '../local/child-process.ts';
import { freePort } from '../local/free-port.ts';
import { account, inheritedEnvironment, region } from '../local/process-environment.ts';
import { provision } from '../local/provision.ts';
import { benchRegistry } from './load.ts';
import { benchSettings } from './ours.ts';
import type { BenchDatabase, BenchServers } from './servers.ts';

export interface WorkerSettings {
  name: string;
  /** Settings of the worker beside its addresses; what is left out is production's default. */
  settings?: Record<string, string>;
}

/** Stores, queues and worker processes for one run of a part. Disposing stops the processes and drops the stores. */
export interface Fleet extends AsyncDisposable {
  database: BenchDatabase;
  stack: string;
  sqs: SQSClient;
  addresses: Addresses;
  /** URL of the one queue that the bench's event travels on. */
  queueUrl: string;
  /** A FIFO queue that no worker reads. */
  createProbeQueue(): Promise<string>;
  startWorker(worker: WorkerSettings): Promise<RunningChild>;
  /** A program of ours in a process of its own, told where the stores are. Ready once it answers on PORT. */
  startProgram(script: string, env: Record<string, string>): Promise<RunningChild>;
}

const graceMs = 30_000;

export async function createFleet(servers: BenchServers): Promise<Fleet> {
  const { env, networksUrl } = await servers.emulators();
  const stack = `bench-${randomBytes(4).toString('hex')}`;
  const redis = connectRedis(servers.redisUrl, 'laneway-bench');
  await redis.flushall();
  redis.disconnect();
  const database = await servers.createDatabase();
  const clients = { sqs: connectSQS(), sns: connectSNS(), s3: connectS3(), dynamodb: connectDynamoDB() };
  await provision(clients, { registry: benchRegistry, stack, region, account });
  const topology = topologyOf(benchRegistry, stack);
  const addresses = await resolveAddresses(clients.sqs, topology, { region, account });
  const children: RunningChild[] = [];

  const start = async (name: string, script: string, own: Record<string, string>) => {
    const port = await freePort();
    const child = await startChild({
      name,
      command: process.execPath,
      args: [join(import.meta.dirname, script)],
      env: { ...inheritedEnvironment(), ...env, ...own, LANEWAY_PORT: String(port), PORT: String(port) },
      logFile: join(servers.dir, `${stack}-${name}.log`),
      ready: () => answersHttp(`http://127.0.0.1:${port}/readyz`),
      readyTimeoutMs: 60_000,
      graceMs,
      watchParent: true,
    });
    children.push(child);
    return child;
  };
  return {
    database,
    stack,
    sqs: clients.sqs,
    addresses,
    queueUrl: addresses.queueUrl(topology.queues[0]?.name ?? ''),
    async createProbeQueue() {
      const { QueueUrl = '' } = await clients.sqs.send(
        new CreateQueueCommand({ QueueName: `${stack}-probe.fifo`, Attributes: { FifoQueue: 'true' } }),
      );
      return QueueUrl;
    },
    startWorker: ({ name, settings = {} }) =>
      start(name, 'worker-process.ts', {
        ...benchSettings({ postgresUrl: database.url, redisUrl: servers.redisUrl, stack }),
        LANEWAY_PROCESS_NAME: name,
        LANEWAY_AWS_ACCOUNT: account,
        LANEWAY_AD_NETWORK_URL: networksUrl,
        LANEWAY_AD_NETWORK_TOKEN: 'bench',
        LANEWAY_LOG_LEVEL: 'warn',
        ...settings,
      }),
    startProgram: (script, own) => start(script.replace(/^.*\/|\.ts$/g, ''), script, own),
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map((child) => child.stop()));
      for (const client of Object.values(clients)) client.destroy();
      await database[Symbol.asyncDispose]();
    },
  };
}
