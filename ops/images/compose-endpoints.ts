/**
 * The part of compose.yaml that stands for AWS and for ad networks: starts their local endpoints, creates queues, topics and
 * tables, prepares the database once Postgres answers, and then answers on the port that the others wait for.
 */
import { createServer } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { connectS3 } from '../../core/clients/s3.ts';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { registry } from '../../core/events/registry.ts';
import { waitFor } from '../../core/testing/wait-for.ts';
import { prepareDatabase } from '../local/database.ts';
import { startDynamo } from '../local/dynamo/start.ts';
import { startEmulator } from '../local/emulator/start.ts';
import { startFakeNetworks } from '../local/fake-networks/start.ts';
import { account, awsEnvironment, region, stackName } from '../local/process-environment.ts';
import { provision } from '../local/provision.ts';
import { composePorts as ports, readComposeSecrets } from './compose-settings.ts';

const POSTGRES_DEADLINE_MS = 120_000;

const secrets = readComposeSecrets(process.env);
const folder = mkdtempSync(join(tmpdir(), 'laneway-endpoints-'));
const logFile = (name: string): string => join(folder, `${name}.log`);
const postgres = {
  url: (user: string, password: string, database: string) =>
    `postgres://${user}:${password}@127.0.0.1:${ports.postgres}/${database}`,
};

const emulator = await startEmulator({ port: ports.aws, logFile: logFile('emulator') });
const dynamo = await startDynamo({ port: ports.dynamodb, logFile: logFile('dynamo') });
const networks = await startFakeNetworks({ port: ports.networks, dir: folder, logFile: logFile('networks') });
Object.assign(
  process.env,
  awsEnvironment({
    redisUrl: '',
    databaseUrl: () => '',
    emulatorEndpoint: emulator.endpoint,
    dynamodbEndpoint: dynamo.endpoint,
    networksUrl: networks.url,
  }),
);
const clients = { sqs: connectSQS(), sns: connectSNS(), s3: connectS3(), dynamodb: connectDynamoDB() };
await provision(clients, { registry, stack: stackName, region, account });
for (const client of Object.values(clients)) client.destroy();

const { merchants } = await waitFor('Postgres', () => prepareDatabase(postgres, secrets, () => undefined), {
  timeoutMs: POSTGRES_DEADLINE_MS,
  everyMs: 1_000,
});
for (const { id, apiKey } of merchants) process.stdout.write(`merchant ${id} has the API key ${apiKey}\n`);

const server = createServer((_, answer) => answer.end('prepared\n')).listen(ports.prepared, '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  void Promise.allSettled([emulator.stop(), dynamo.stop(), networks.stop()]).then(() => process.exit(0));
});
