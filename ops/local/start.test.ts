// test-deadline: 240s
import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { waitFor } from '../../core/testing/wait-for.ts';
import { readNetworkLog } from '../checker/read-network-log.ts';
import { isAlive } from './child-process.ts';
import { freePort } from './free-port.ts';
import { type Stack, readStackFile } from './stack-file.ts';
import { curlLine, firstCampaign } from './welcome.ts';

const run = promisify(execFile);
const bootMs = 60_000;

/** A data folder on which the system can be started, stopped and killed. */
function setup() {
  const parent = mkdtempSync(join(tmpdir(), 'laneway-start-'));
  // Made 0700, which the user that PostgreSQL runs as could not enter.
  chmodSync(parent, 0o755);
  const dir = join(parent, 'data');
  const stackFile = join(dir, 'stack.json');
  let ports: [number, number] | undefined;
  const children: { child: ReturnType<typeof spawn>; exited: Promise<unknown[]> }[] = [];

  const launch = (...args: string[]) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'start.ts'), '--data', dir, '--no-demo', '--json', ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const exited = once(child, 'close');
    children.push({ child, exited });
    const end = async (signal?: NodeJS.Signals): Promise<number | null> => {
      if (signal !== undefined) child.kill(signal);
      await exited;
      return child.exitCode;
    };
    return { child, output, end };
  };

  return {
    dir,
    stackFile,
    stack: (): Stack => readStackFile(stackFile),
    launch,
    async start() {
      // Not the usual ports: other files of the run start whole systems too.
      ports ??= [await freePort(), await freePort()];
      const launched = launch('--port-gateway', String(ports[0]), '--port-ops', String(ports[1]));
      const isUp = () => launched.output.stdout.includes('\n');
      await waitFor('the system to start', () => launched.child.exitCode !== null || isUp(), { timeoutMs: bootMs });
      assert.ok(isUp(), launched.output.stderr);
      return launched;
    },
    async [Symbol.asyncDispose]() {
      for (const { child, exited } of children) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
        await exited;
      }
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

const pidsOf = (dir: string): number[] => {
  const recorded: unknown = JSON.parse(readFileSync(join(dir, 'pids.json'), 'utf8'));
  return Array.isArray(recorded) ? recorded.map(({ pid }: { pid: number }) => pid) : [];
};

const asMerchant = async <T>({ gatewayUrl, merchants }: Stack, path: string, schema: z.ZodType<T>): Promise<T> => {
  const response = await fetch(gatewayUrl + path, {
    headers: { authorization: `Bearer ${merchants[0]?.apiKey}`, connection: 'close' },
  });
  assert.is(response.status, 200, path);
  return schema.parse(await response.json());
};

const productsAnswer = z.object({ products: z.array(z.object({ productId: z.string(), revision: z.int() })) });
const campaignAnswer = z.object({
  networks: z.array(z.object({ adNetworkId: z.string(), status: z.string(), actualState: z.string().nullable() })),
});

/** The line that people paste. A machine without curl makes the same request in another way. */
async function pasteCurlLine(stack: Stack): Promise<string> {
  try {
    return (await run('sh', ['-c', curlLine(stack)])).stdout;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 127)) throw error;
    const { url, headers, body } = firstCampaign(stack);
    return await (await fetch(url, { method: 'POST', headers: { ...headers, connection: 'close' }, body })).text();
  }
}

/** What a client that knows nothing of us sends. */
async function sendProduct(stack: Stack, deduplicationId: string, eventId = 'foreign-1'): Promise<void> {
  const client = new SQSClient({
    endpoint: stack.sqsEndpoint,
    region: stack.region,
    credentials: { accessKeyId: stack.accessKeyId, secretAccessKey: stack.secretAccessKey },
  });
  const merchantId = stack.merchants[0]?.id;
  const event = {
    eventId,
    eventType: 'ProductCoreDataUpdatedEvent',
    eventVersion: '1.0.0',
    timestamp: '2026-11-23T10:00:00.000Z',
    sourceService: 'somebody-else',
    correlationId: 'c',
    merchantId,
    payload: {
      productId: `product-${eventId}`,
      operationType: 'create',
      timestamp: '2026-11-23T10:00:00.000Z',
      changedAttributes: { title: 'Kettle' },
    },
  };
  await client.send(
    new SendMessageCommand({
      QueueUrl: stack.queues['ProductSyncEventsQueue'],
      MessageBody: JSON.stringify(event),
      MessageGroupId: merchantId,
      MessageDeduplicationId: deduplicationId,
    }),
  );
  client.destroy();
}

const hasProduct = async (stack: Stack, productId: string): Promise<boolean> => {
  const { products } = await asMerchant(stack, '/v1/products', productsAnswer);
  return products.some((product) => product.productId === productId);
};

test('it comes up, serves, replaces what dies, refuses a second run, stops cleanly and carries on, even after kill -9', async () => {
  await using world = setup();
  const first = await world.start();
  const stack = world.stack();
  assert.is(statSync(world.stackFile).mode & 0o777, 0o600);
  assert.equal(JSON.parse(first.output.stdout), JSON.parse(readFileSync(world.stackFile, 'utf8')));
  assert.is(stack.workers.length, 2);

  const second = world.launch();
  assert.is(await second.end(), 1);
  assert.match(second.output.stderr, new RegExp(`already running on .*: process ${first.child.pid}, since`));
  assert.is(second.output.stdout, '');

  const stdout = await pasteCurlLine(stack);
  const { campaignId } = z
    .object({ campaign: z.object({ campaignId: z.string() }) })
    .parse(JSON.parse(stdout)).campaign;
  const campaign = await waitFor('the campaign to be live', async () => {
    const read = await asMerchant(stack, `/v1/campaigns/${campaignId}`, campaignAnswer);
    return read.networks[0]?.status === 'live' ? read : undefined;
  });
  assert.equal([campaign.networks[0]?.adNetworkId, campaign.networks[0]?.actualState], ['meta', 'active']);
  assert.is((await readNetworkLog(stack.adNetworkUrl)).length, 1);

  await sendProduct(stack, 'one');
  await waitFor('the product', () => hasProduct(stack, 'product-foreign-1'));

  const killed = stack.workers[0]?.pid ?? 0;
  process.kill(killed, 'SIGKILL');
  const workers = await waitFor('a new worker in stack.json', () => {
    const { workers: now } = world.stack();
    return now.length === 2 && now.every(({ pid }) => pid !== killed) ? now : undefined;
  });
  for (const { pid } of workers) assert.ok(isAlive(pid));

  const pids = pidsOf(world.dir);
  assert.is(await first.end('SIGTERM'), 0, first.output.stderr);
  for (const pid of pids) assert.not.ok(isAlive(pid), `${pid} was left running`);
  assert.not.ok(existsSync(world.stackFile));
  assert.not.ok(existsSync(join(world.dir, 'run.lock')));

  const again = await world.start();
  const restarted = world.stack();
  assert.equal(restarted.merchants, stack.merchants);
  assert.is(restarted.gatewayUrl, stack.gatewayUrl);
  assert.ok(await hasProduct(restarted, 'product-foreign-1'));
  assert.is((await asMerchant(restarted, `/v1/campaigns/${campaignId}`, campaignAnswer)).networks[0]?.status, 'live');

  // The same event again, and one after it: once the later one is there, the earlier one has been dealt with.
  await sendProduct(restarted, 'two');
  await sendProduct(restarted, 'three', 'foreign-2');
  await waitFor('the later product', () => hasProduct(restarted, 'product-foreign-2'));
  const { products } = await asMerchant(restarted, '/v1/products', productsAnswer);
  assert.is(products.find(({ productId }) => productId === 'product-foreign-1')?.revision, 1);

  // Killed, it leaves everything running.
  const left = pidsOf(world.dir);
  await again.end('SIGKILL');
  assert.ok(existsSync(world.stackFile));
  const third = await world.start();
  for (const pid of left) assert.not.ok(isAlive(pid), `${pid} of the killed run is still there`);
  assert.ok(await hasProduct(world.stack(), 'product-foreign-2'));
  const last = pidsOf(world.dir);
  assert.is(await third.end('SIGINT'), 0, third.output.stderr);
  for (const pid of last) assert.not.ok(isAlive(pid), `${pid} was left running`);
});

test('a port that is in use is named before anything is started', async () => {
  await using world = setup();
  const busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  const address = busy.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const launched = world.launch('--port-gateway', String(port));
  assert.is(await launched.end(), 1);
  busy.close();
  assert.match(launched.output.stderr, new RegExp(`port ${port} on 127.0.0.1 is in use: choose another one with`));
  assert.not.ok(existsSync(join(world.dir, 'run.lock')));
});

test('a start that fails midway says what failed and stops what it had started', async () => {
  await using world = setup();
  mkdirSync(world.dir, { recursive: true });
  // Where the fake networks want to keep their journal.
  writeFileSync(join(world.dir, 'networks'), 'not a folder');
  const launched = world.launch();
  assert.is(await launched.end(), 1);
  assert.match(launched.output.stderr, /✗ fake ad networks/);
  assert.match(launched.output.stderr, /stopping PostgreSQL/);
  assert.is(launched.output.stdout, '');
  assert.equal(
    ['run.lock', 'pids.json', 'stack.json'].filter((file) => existsSync(join(world.dir, file))),
    [],
  );
  assert.not.ok(existsSync(join(world.dir, 'postgres/postmaster.pid')));
});

test('a folder that cannot be used is named with what to do', async () => {
  await using world = setup();
  mkdirSync(join(world.dir, '..'), { recursive: true });
  writeFileSync(world.dir, 'a file');
  const launched = world.launch();
  assert.is(await launched.end(), 1);
  assert.match(
    launched.output.stderr,
    /data cannot be kept in .*data: make it writable for you, or choose another folder/,
  );
});

test.run();
