import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Stack, createStackFile, readStackFile } from './stack-file.ts';

const stack = (workers: number[], padding = 1): Stack => ({
  pid: process.pid,
  startedAt: '2026-11-23T10:00:00.000Z',
  gatewayUrl: 'http://127.0.0.1:8787',
  opsUrl: 'http://127.0.0.1:8788',
  opsLogin: { user: 'ops', password: 'secret' },
  bullBoardUrl: 'http://127.0.0.1:8788/queues',
  docsUrl: 'http://127.0.0.1:8787/docs',
  mailboxUrl: 'http://127.0.0.1:5/mailbox',
  postgresUrl: 'postgres://laneway_reader:x@127.0.0.1:6/laneway',
  redisUrl: 'redis://127.0.0.1:7',
  sqsEndpoint: 'http://127.0.0.1:8',
  snsEndpoint: 'http://127.0.0.1:8',
  s3Endpoint: 'http://127.0.0.1:8',
  dynamodbEndpoint: 'http://127.0.0.1:9',
  region: 'eu-central-1',
  accessKeyId: 'test',
  secretAccessKey: 'test',
  adNetworkUrl: 'http://127.0.0.1:5',
  corePlatformSecret: 'x',
  workers: workers.map((pid) => ({ pid })),
  queues: { ProductSyncEventsQueue: 'http://127.0.0.1:8/000000000000/laneway-ProductSyncEventsQueue.fifo' },
  topics: {},
  merchants: [{ id: 'demo', apiKey: 'x'.repeat(padding) }],
});

function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-stack-file-'));
  return { dir, file: join(dir, 'stack.json'), [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

test('only its owner can read it, whatever the umask and whatever was there before', () => {
  using world = setup();
  const umask = process.umask(0);
  try {
    writeFileSync(world.file, 'old', { mode: 0o666 });
    chmodSync(world.file, 0o666);
    createStackFile([world.file]).write(stack([1]));
  } finally {
    process.umask(umask);
  }
  assert.is(statSync(world.file).mode & 0o777, 0o600);
  assert.equal(readStackFile(world.file).workers, [{ pid: 1 }]);
  assert.equal(readdirSync(world.dir), ['stack.json']);
});

test('a reader never sees half of it while it is rewritten', async () => {
  using world = setup();
  const file = createStackFile([world.file]);
  file.write(stack([0]));
  const reader = new Worker(
    `const { readFileSync } = require('node:fs');
     const { workerData, parentPort } = require('node:worker_threads');
     let reads = 0;
     parentPort.on('message', () => { done = true; });
     let done = false;
     const step = () => {
       for (let i = 0; i < 20; i++) { JSON.parse(readFileSync(workerData, 'utf8')); reads++; }
       if (done) { parentPort.postMessage(reads); parentPort.close(); } else setImmediate(step);
     };
     parentPort.postMessage('started');
     step();`,
    { eval: true, workerData: world.file },
  );
  const reads = await new Promise<number>((resolve, reject) => {
    reader.once('error', reject);
    reader.on('message', (message: unknown) => {
      if (typeof message === 'number') return resolve(message);
      for (let i = 0; i < 300; i++) file.write(stack([i], 1 + (i % 2) * 200_000));
      reader.postMessage('done');
    });
  });
  assert.ok(reads > 0);
});

test('it is gone after a clean stop, unless another run has put its own there', () => {
  using world = setup();
  const other = join(world.dir, 'shared.json');
  const file = createStackFile([world.file, other]);
  file.write(stack([1]));
  writeFileSync(other, JSON.stringify({ ...stack([2]), pid: process.pid + 1 }));
  file.remove();
  assert.equal(readdirSync(world.dir), ['shared.json']);
});

test('a write that fails leaves the old file and no draft', () => {
  using world = setup();
  const blocked = join(world.dir, 'folder');
  mkdirSync(join(blocked, 'inside'), { recursive: true });
  assert.throws(() => createStackFile([blocked]).write(stack([1])));
  assert.equal(readdirSync(world.dir), ['folder']);
  assert.throws(() => readFileSync(blocked));
});

test.run();
