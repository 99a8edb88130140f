import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { ListTablesCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../core/testing/wait-for.ts';
import { commandLineOf, isAlive } from './local/child-process.ts';
import { startTestingStack } from './testing-stack.ts';

const module = join(import.meta.dirname, 'testing-stack.ts');
const foldersOf = (pid: number | undefined) =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith('laneway-test-'))
    .map((name) => join(tmpdir(), name))
    .filter((dir) => existsSync(join(dir, 'owner')) && readFileSync(join(dir, 'owner'), 'utf8') === String(pid));
/** Every process that was started with that folder among its arguments. */
const processesIn = (dir: string) =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLineOf(pid).includes(dir));

test('each server answers at the address that a test process is given, and stop leaves nothing', async () => {
  const stack = await startTestingStack();
  const [dir = ''] = foldersOf(process.pid);
  const address = (name: string) => stack.env[name] ?? `${name} is missing`;
  const postgres = new Client({ connectionString: address('LANEWAY_TEST_POSTGRES_URL') });
  await postgres.connect();
  assert.equal((await postgres.query('select 1 as one')).rows, [{ one: 1 }]);
  await postgres.end();
  const redis = new Redis(address('LANEWAY_TEST_REDIS_URL'));
  assert.is(await redis.ping(), 'PONG');
  redis.disconnect();
  const to = (name: string) => ({
    endpoint: address(`AWS_ENDPOINT_URL_${name}`),
    region: address('AWS_REGION'),
    credentials: { accessKeyId: address('AWS_ACCESS_KEY_ID'), secretAccessKey: address('AWS_SECRET_ACCESS_KEY') },
  });
  const clients = [
    new SQSClient(to('SQS')),
    new SNSClient(to('SNS')),
    new S3Client({ ...to('S3'), forcePathStyle: true }),
    new DynamoDBClient(to('DYNAMODB')),
  ] as const;
  await clients[0].send(new ListQueuesCommand());
  await clients[1].send(new ListTopicsCommand());
  await clients[2].send(new ListBucketsCommand());
  await clients[3].send(new ListTablesCommand());
  for (const client of clients) client.destroy();
  assert.ok((await fetch(`${address('LANEWAY_TEST_NETWORKS_URL')}/healthz`)).ok);
  await stack.stop();
  assert.equal(foldersOf(process.pid), []);
  if (existsSync('/proc')) assert.equal(processesIn(dir), []);
});

test('a command runs against a stack of its own and hands on its exit code', async () => {
  const script = 'console.log(process.env.LANEWAY_TEST_REDIS_URL); process.exit(7)';
  const run = spawn(process.execPath, [module, '--', process.execPath, '-e', script]);
  const [output, [code]] = await Promise.all([text(run.stdout), once(run, 'exit')]);
  assert.match(output, /^redis:\/\/127\.0\.0\.1:\d+\n$/);
  assert.is(code, 7);
  assert.equal(foldersOf(run.pid), []);
});

test('what a run killed with -9 left behind is removed by the next one', async () => {
  const script = 'console.log(process.pid); setInterval(() => {}, 1000)';
  const run = spawn(process.execPath, [module, '--', process.execPath, '-e', script]);
  const [command] = await once(run.stdout, 'data');
  const [dir = ''] = foldersOf(run.pid);
  const postgres = Number(readFileSync(join(dir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
  run.kill('SIGKILL');
  await once(run, 'exit');
  process.kill(Number(command), 'SIGKILL');
  assert.ok(isAlive(postgres));
  const next = await startTestingStack();
  await next.stop();
  assert.not(isAlive(postgres));
  assert.equal(foldersOf(run.pid), []);
  if (existsSync('/proc')) await waitFor('the Node processes to notice', () => processesIn(dir).length === 0);
});

test.run();
