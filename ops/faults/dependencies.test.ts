// test-stack
// test-deadline: 300s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type DisturbedEmulator, startDisturbedEmulator } from './disturbed-emulator.ts';
import { type Fleet, type FleetWorker, createFleet } from './fleet.ts';
import { derivedAccountId } from '../../core/contexts/ad-networks/accounts.ts';
import { type Proxy, startProxy } from '../../core/testing/proxy.ts';
import { waitFor } from '../../core/testing/wait-for.ts';

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));
const merchants = Array.from({ length: 6 }, (_, i) => `m${i}`);
const sendAll = (fleet: Fleet, from: number, to: number) =>
  Promise.all(merchants.map((merchant) => fleet.send(merchant, numbered(from, to))));

/** Everything that was sent is settled, in order, each at its first attempt, and nothing is dead. */
async function isFaultless(fleet: Fleet, count: number): Promise<void> {
  for (const merchant of merchants) {
    const settled = await fleet.settled(merchant, count);
    assert.equal(
      settled.map(({ eventId }) => eventId),
      numbered(1, count).map(({ n }) => `${merchant}-${n}`),
    );
  }
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
}

/** More than a slow machine has to say beside what was done to it; a complaint for each try would be hundreds. */
const MANY_LINES = 30;

/** What fails is said when it begins and when it is over, in turn, and nothing else is complained about. */
function isToldOnce(worker: FleetWorker, sinceLine: number): void {
  const complaints = worker.lines.slice(sinceLine).filter(({ level }) => level === 'warn' || level === 'error');
  assert.ok(complaints.length < MANY_LINES, complaints.map(({ message }) => message).join('\n'));
  for (const { message } of complaints) assert.match(message, /^intake stopped$|: failing, will keep trying$/);
  const troubles = new Set(complaints.map(({ message }) => message.replace(/: failing, will keep trying$/, '')));
  troubles.delete('intake stopped');
  for (const trouble of troubles) {
    const told = worker.lines
      .slice(sinceLine)
      .filter(({ message }) => message.startsWith(`${trouble}: `))
      .map(({ message }) => message.slice(trouble.length + 2));
    for (const [i, what] of told.entries())
      assert.match(what, i % 2 === 0 ? /^failing/ : /^working again/, `${trouble}: ${told.join(', ')}`);
    assert.is(told.length % 2, 0, `${trouble} did not say that it works again`);
  }
}

/** Some trouble is over only when a message comes back after its visibility time-out and is deleted at last. */
const allWorksAgain = (worker: FleetWorker) =>
  waitFor('all to work again', () => worker.said('working again').length === worker.said(': failing').length, {
    timeoutMs: 60_000,
  });

const through = (url: string, proxy: Proxy): string => {
  const changed = new URL(url);
  changed.port = String(proxy.port);
  return changed.toString();
};
const before = (url: string) => startProxy(Number(new URL(url).port));
const readiness = async (worker: FleetWorker): Promise<number> => (await fetch(`${worker.url}/readyz`)).status;

interface Disturbed {
  fleet: Fleet;
  worker: FleetWorker;
  postgres: Proxy;
  redis: Proxy;
  dynamodb: Proxy;
  emulator: DisturbedEmulator;
  /** Sends that many more to each merchant; resolves with how many each has been sent. */
  sendMore: (count: number) => Promise<number>;
}

const DRAIN_MS = 60_000;

/** One worker, everything that it depends on behind something that can be disturbed. */
async function setUp(): Promise<Disturbed & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const emulator = stack.use(await startDisturbedEmulator());
  for (const name of ['SQS', 'SNS', 'S3']) process.env[`AWS_ENDPOINT_URL_${name}`] = emulator.endpoint;
  const fleet = stack.use(
    await createFleet({ LANEWAY_LEASE_MS: '6000', LANEWAY_VISIBILITY_SECONDS: '5', LANEWAY_EFFECT_ACTORS: '4' }),
  );
  const postgres = stack.use(await before(fleet.world.postgresUrl));
  const redis = stack.use(await before(fleet.world.redisUrl));
  const dynamoUrl = process.env['AWS_ENDPOINT_URL_DYNAMODB'] ?? '';
  const dynamodb = stack.use(await before(dynamoUrl));
  const worker = await fleet.start('w', {
    LANEWAY_POSTGRES_URL: through(fleet.world.postgresUrl, postgres),
    LANEWAY_REDIS_URL: through(fleet.world.redisUrl, redis),
    LANEWAY_DRAIN_MS: String(DRAIN_MS),
    AWS_ENDPOINT_URL_DYNAMODB: through(dynamoUrl, dynamodb),
  });
  let sent = 0;
  const sendMore = async (count: number) => {
    await sendAll(fleet, sent + 1, sent + count);
    sent += count;
    return sent;
  };
  const servers = { postgres, redis, dynamodb, emulator };
  return { fleet, worker, ...servers, sendMore, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function loseDynamoDB({ fleet, worker, dynamodb, sendMore }: Disturbed): Promise<void> {
  dynamodb.setMode({ kind: 'refuse' });
  await isFaultless(fleet, await sendMore(5));
  assert.ok(worker.said('looking up marks in DynamoDB: failing').length > 0);
  assert.is(await readiness(worker), 200);
  dynamodb.setMode({ kind: 'pass' });
  // Asked again five seconds after it failed.
  await waitFor('marks to be looked up again', async () => {
    if (worker.said('looking up marks in DynamoDB: working again').length > 0) return true;
    await fleet.settled('m0', await sendMore(1));
    return false;
  });
}

async function losePostgres({ fleet, worker, postgres, sendMore }: Disturbed, how: 'refuse' | 'hang'): Promise<void> {
  const stops = worker.said('intake stopped').length;
  const known = await sendMore(5);
  await fleet.settled('m0', known - 4);
  postgres.setMode({ kind: how });
  // Intake has not noticed yet: what it takes now it cannot accept.
  await sendMore(1);
  await waitFor('intake to stop', () => worker.said('intake stopped').length > stops);
  assert.is(await readiness(worker), 503);
  const all = await sendMore(5);
  // What a network that is gone had taken never arrives.
  postgres.cut();
  postgres.setMode({ kind: 'pass' });
  await waitFor('intake to go on', () => worker.said('intake goes on').length > stops, { timeoutMs: 30_000 });
  await isFaultless(fleet, all);
  assert.is(worker.said('intake stopped').length, stops + 1);
  assert.is(await readiness(worker), 200);
}

async function loseRedis({ fleet, worker, redis, sendMore }: Disturbed): Promise<void> {
  const stops = worker.said('intake stopped').length;
  const known = await sendMore(5);
  await fleet.settled('m0', known - 4);
  redis.setMode({ kind: 'hang' });
  await sendMore(1);
  await waitFor('intake to stop', () => worker.said('intake stopped').length > stops, { timeoutMs: 30_000 });
  const all = await sendMore(5);
  redis.cut();
  redis.setMode({ kind: 'pass' });
  await waitFor('intake to go on', () => worker.said('intake goes on').length > stops, { timeoutMs: 30_000 });
  await isFaultless(fleet, all);
  assert.is(await readiness(worker), 200);
}

/** With a Redis that does not answer and an SQS that is away, of which each would hold up a stop that waits for it. */
async function drainWithoutThem({ worker, redis, emulator }: Disturbed): Promise<void> {
  redis.setMode({ kind: 'hang' });
  emulator.setMode('away');
  const from = performance.now();
  worker.signal('SIGTERM');
  assert.equal(await worker.exited, { code: 0, signal: null });
  assert.ok(performance.now() - from < DRAIN_MS, 'before it would have been made to');
  assert.ok(worker.said('stopped').length > 0);
}

async function loseSqs(
  { fleet, worker, emulator, sendMore }: Disturbed,
  mode: 'throttling' | 'failing' | 'away',
): Promise<void> {
  const receiving = 'receiving from FaultQueue: ';
  const told = worker.said(`${receiving}failing`).length;
  await sendMore(5);
  emulator.setMode(mode);
  await waitFor(`SQS ${mode} to be told`, () => worker.said(`${receiving}failing`).length > told);
  assert.is(await readiness(worker), 200);
  emulator.setMode('well');
  await isFaultless(fleet, await sendMore(5));
  await waitFor('receiving to work again', () => worker.said(`${receiving}working`).length > told);
  const health: unknown = await (await fetch(`${worker.url}/healthz`)).json();
  const { pollers } = health as { pollers: Record<string, { lastReceiveAgeMs: number; state: string }> };
  assert.is(pollers['FaultQueue']?.state, 'polling');
  assert.ok((pollers['FaultQueue']?.lastReceiveAgeMs ?? Infinity) < 10_000);
}

/** More merchants than there are effect actors wait for a network that takes calls and never answers. */
async function hangNetwork({ fleet, sendMore }: Disturbed): Promise<void> {
  const { db } = fleet.world.postgres;
  const merchants = Array.from({ length: 6 }, (_, i) => `${fleet.world.stack}-${i}`);
  const faults = merchants.map((id) => ({
    ...{ network: 'meta', account: derivedAccountId(id), kind: 'hang', times: 1_000, on: 'all' },
  }));
  const posted = await fetch(`${fleet.world.networksUrl}/_control/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(faults),
  });
  assert.is(posted.status, 201);
  const states = async (network: string) => {
    const rows = await db
      .selectFrom('intents')
      .select('state')
      .where('destination', '=', `ad-network:${network}`)
      .execute();
    return rows.map(({ state }) => state);
  };
  for (const merchant of merchants) await fleet.sendCampaign(merchant, 'meta');
  await waitFor('the network to have calls', async () => (await states('meta')).includes('sending'));
  for (const merchant of merchants) await fleet.settled(merchant, 1);
  await isFaultless(fleet, await sendMore(5));
  await fleet.sendCampaign('m0', 'google_ads');
  await waitFor('the other network to have the campaign', async () => (await states('google_ads')).includes('done'), {
    timeoutMs: 30_000,
  });
  assert.not((await states('meta')).includes('done'));
}

test('whatever a worker depends on is away, throttles or hangs for a while: nothing is lost, dead or counted, all resumes, and each trouble is told once', async () => {
  await using at = await setUp();
  const disturbances = [
    () => loseDynamoDB(at),
    () => losePostgres(at, 'refuse'),
    () => losePostgres(at, 'hang'),
    () => loseRedis(at),
    () => loseSqs(at, 'throttling'),
    () => loseSqs(at, 'failing'),
    () => loseSqs(at, 'away'),
  ];
  for (const disturb of disturbances) {
    const said = at.worker.lines.length;
    await disturb();
    await allWorksAgain(at.worker);
    isToldOnce(at.worker, said);
  }
  await hangNetwork(at);
  await drainWithoutThem(at);
});

test.run();
