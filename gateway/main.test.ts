import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asGatewayRole, corePlatformSecret } from './testing/start-gateway.ts';
import { createApiKey, createMerchant } from '../core/contexts/access/writes.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { type World, createWorld } from '../core/testing/world.ts';

interface Started {
  process: ChildProcess;
  url: string;
  output: () => string;
}

function forkMain(world: World, settings: Record<string, string> = {}): Omit<Started, 'url'> {
  const child = fork(new URL('./main.ts', import.meta.url), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      LANEWAY_POSTGRES_URL: asGatewayRole(world.postgresUrl),
      LANEWAY_REDIS_URL: world.redisUrl,
      LANEWAY_BODY_HMAC_KEY: 'a key for the tests only',
      LANEWAY_MASTER_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
      AWS_REGION: 'eu-central-1',
      ...settings,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return { process: child, output: () => output };
}

async function startMain(world: World): Promise<Started> {
  const started = forkMain(world, { LANEWAY_CORE_PLATFORM_SECRET: corePlatformSecret });
  const [message] = await once(started.process, 'message');
  return { ...started, url: String(message.url) };
}

test('told to stop, it answers what is in flight, takes nothing new and exits cleanly', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await createMerchant(db, { merchantId: 'shop-1', name: 'Shop' }, systemClock.now());
  const key = await createApiKey(db, { merchantId: 'shop-1', label: 'test' }, systemClock.now());
  await db.insertInto('outbox_heads').values({ merchant_id: 'shop-1', next_seq: 1 }).execute();
  const gateway = await startMain(world);
  try {
    assert.is((await fetch(`${gateway.url}/readyz`)).status, 200);
    let inFlight: Promise<Response> | undefined;
    await db.transaction().execute(async (trx) => {
      await trx.selectFrom('outbox_heads').selectAll().forUpdate().execute();
      inFlight = fetch(`${gateway.url}/v1/campaigns`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'Winter', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' }),
      });
      await waitFor('the request to wait for the row', async () => {
        const { rows } = await sql`
          select from pg_stat_activity where datname = ${world.stack} and wait_event_type = 'Lock'
        `.execute(db);
        return rows.length > 0;
      });
      gateway.process.kill('SIGTERM');
      await waitFor('it to drain', () => gateway.output().includes('"draining"'));
      const refused = await fetch(`${gateway.url}/healthz`).catch((error: unknown) => error);
      assert.instance(refused, TypeError);
    });
    const answer = await inFlight;
    assert.is(answer?.status, 202);
    assert.is(answer?.headers.get('connection'), 'close');
    await answer?.text();
    if (gateway.process.exitCode === null) await once(gateway.process, 'exit');
    assert.is(gateway.process.exitCode, 0, gateway.output());
  } finally {
    gateway.process.kill('SIGKILL');
  }
  const line = gateway
    .output()
    .split('\n')
    .find((text) => text.includes('"/v1/campaigns"'));
  const { route, status, merchantId } = JSON.parse(line ?? '{}');
  assert.equal([route, status, merchantId], ['/v1/campaigns', 202, 'shop-1']);
  assert.not.ok(gateway.output().includes(key), 'no key in the log');
  assert.not.ok(gateway.output().includes('Winter'), 'no body in the log');
});

test('without the secret of the core platform it does not start, and says what is missing', async () => {
  await using world = await createWorld();
  const { process, output } = forkMain(world);
  await once(process, 'exit');
  assert.is.not(process.exitCode, 0);
  assert.match(output(), /needs the setting LANEWAY_CORE_PLATFORM_SECRET/);
});

test.run();
