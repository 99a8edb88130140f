import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SystemNotFound, findSystem } from './find-system.ts';

const stack = {
  pid: 1,
  startedAt: '2026-11-23T12:00:00.000Z',
  gatewayUrl: 'http://127.0.0.1:1',
  opsUrl: 'http://127.0.0.1:2',
  opsLogin: { user: 'ops', password: 'x' },
  bullBoardUrl: 'http://127.0.0.1:2/queues',
  docsUrl: 'http://127.0.0.1:1/docs',
  mailboxUrl: 'http://127.0.0.1:3/mailbox',
  postgresUrl: 'postgresql://laneway_reader:reader@127.0.0.1:4/laneway',
  redisUrl: 'redis://127.0.0.1:5',
  sqsEndpoint: 'http://127.0.0.1:6',
  snsEndpoint: 'http://127.0.0.1:6',
  s3Endpoint: 'http://127.0.0.1:6',
  dynamodbEndpoint: 'http://127.0.0.1:7',
  region: 'eu-central-1',
  accessKeyId: 'test',
  secretAccessKey: 'test',
  adNetworkUrl: 'http://127.0.0.1:3',
  corePlatformSecret: 'secret',
  workers: [],
  queues: {},
  topics: {},
  merchants: [],
};
const named = {
  LANEWAY_STACK: 'shop',
  LANEWAY_POSTGRES_URL: 'postgresql://op@db/laneway',
  LANEWAY_REDIS_URL: 'redis://cache',
};

function folder(files: Record<string, unknown>) {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-find-'));
  for (const [name, value] of Object.entries(files)) writeFileSync(join(dir, name), JSON.stringify(value));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

test('a local system is reached as the operator, and the AWS SDK is sent to its emulators', () => {
  using data = folder({ 'stack.json': stack, 'secrets.json': { operatorPassword: 'p@ss/word' } });
  const { config, aws } = findSystem(data.dir, named);
  assert.is(config.postgresUrl, 'postgresql://laneway_operator:p%40ss%2Fword@127.0.0.1:4/laneway');
  assert.equal([config.redisUrl, config.stack], ['redis://127.0.0.1:5', 'laneway']);
  assert.equal([aws['AWS_ENDPOINT_URL_SQS'], aws['AWS_REGION']], ['http://127.0.0.1:6', 'eu-central-1']);
});

test('without a folder the environment names the system, and nothing is put over what the AWS SDK reads', () => {
  const { config, aws } = findSystem(undefined, named);
  assert.equal(
    [config.stack, config.postgresUrl, config.activationPartitions],
    ['shop', named.LANEWAY_POSTGRES_URL, 1],
  );
  assert.equal(aws, {});
});

test('what is missing is named, with what to do', () => {
  using empty = folder({});
  assert.throws(() => findSystem(empty.dir, {}), /no system is running on .*npm start/);
  using old = folder({ 'stack.json': stack, 'secrets.json': {} });
  assert.throws(
    () => findSystem(old.dir, {}),
    (error: unknown) => error instanceof SystemNotFound,
  );
  assert.throws(() => findSystem(undefined, { LANEWAY_POSTGRES_URL: named.LANEWAY_POSTGRES_URL }), /LANEWAY_REDIS_URL/);
});

test.run();
