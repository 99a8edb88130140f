// test-stack
// test-deadline: 300s
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fleet, type FleetWorker, createFleet } from './fleet.ts';
import { type Proxy, startProxy } from './proxy.ts';
import { waitFor } from '../../core/testing/wait-for.ts';
import { startEmulator } from '../local/emulator/start.ts';

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
function isToldOnce(worker: FleetWorker): void {
  const complaints = worker.lines.filter(({ level }) => level === 'warn' || level === 'error');
  assert.ok(complaints.length < MANY_LINES, complaints.map(({ message }) => message).join('\n'));
  for (const { message } of complaints) assert.match(message, /^intake stopped$|: failing, will keep trying$/);
  const troubles = new Set(complaints.map(({ message }) => message.replace(/: failing, will keep trying$/, '')));
  troubles.delete('intake stopped');
  for (const trouble of troubles) {
    const told = worker.said(`${trouble}: `).map(({ message }) => message.slice(trouble.length + 2));
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

const portOf = (url: string): number => Number(new URL(url).port);
const through = (url: string, proxy: Proxy): string => {
  const changed = new URL(url);
  changed.port = String(proxy.port);
  return changed.toString();
};
const endpoint = (name: string): string => process.env[`AWS_ENDPOINT_URL_${name}`] ?? '';
const readiness = async (worker: FleetWorker): Promise<number> => (await fetch(`${worker.url}/readyz`)).status;
const SETTINGS = { LANEWAY_LEASE_MS: '6000', LANEWAY_VISIBILITY_SECONDS: '10' };

test('Postgres away for a while: intake stops, nothing is lost, dead or counted, all resumes, and each trouble is told once', async () => {
  await using fleet = await createFleet(SETTINGS);
  await using proxy = await startProxy(portOf(fleet.world.postgresUrl));
  const worker = await fleet.start('w', { LANEWAY_POSTGRES_URL: through(fleet.world.postgresUrl, proxy) });
  await sendAll(fleet, 1, 20);
  await fleet.settled('m0', 1);
  proxy.refuse();
  await worker.says('intake stopped');
  assert.is(await readiness(worker), 503);
  await sendAll(fleet, 21, 40);
  proxy.pass();
  await worker.says('intake goes on');
  await isFaultless(fleet, 40);
  await allWorksAgain(worker);
  isToldOnce(worker);
  assert.is(worker.said('intake stopped').length, 1);
  assert.is(await readiness(worker), 200);
});

test('DynamoDB away: events flow on, and it is told once', async () => {
  await using fleet = await createFleet(SETTINGS);
  await using proxy = await startProxy(portOf(endpoint('DYNAMODB')));
  const worker = await fleet.start('w', { AWS_ENDPOINT_URL_DYNAMODB: through(endpoint('DYNAMODB'), proxy) });
  proxy.refuse();
  await sendAll(fleet, 1, 10);
  await isFaultless(fleet, 10);
  assert.ok(worker.said('looking up marks in DynamoDB: failing').length > 0);
  assert.is(await readiness(worker), 200);
  proxy.pass();
  let n = 10;
  // Asked again five seconds after it failed.
  await waitFor('marks to be looked up again', async () => {
    if (worker.said('looking up marks in DynamoDB: working again').length > 0) return true;
    n += 1;
    await sendAll(fleet, n, n);
    await fleet.settled('m0', n);
    return false;
  });
  await isFaultless(fleet, n);
  await allWorksAgain(worker);
  isToldOnce(worker);
});

test('SQS away: pollers back off and come back by themselves, and it is told once for each queue', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-faults-'));
  const files = { stateFile: join(dir, 'state.json'), logFile: join(dir, 'emulator.log') };
  let emulator = await startEmulator(files);
  // Queue URLs name the server itself, which a proxy cannot stand in for. This is the last test of its process.
  for (const name of ['SQS', 'SNS', 'S3']) process.env[`AWS_ENDPOINT_URL_${name}`] = emulator.endpoint;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  stack.defer(() => emulator.stop());
  const fleet = stack.use(await createFleet(SETTINGS));
  const worker = await fleet.start('w');
  await sendAll(fleet, 1, 10);
  await emulator.stop();
  await worker.says('receiving from FaultQueue: failing');
  assert.is(await readiness(worker), 200);
  emulator = await startEmulator({ ...files, port: emulator.port });
  await sendAll(fleet, 11, 20);
  await isFaultless(fleet, 20);
  await allWorksAgain(worker);
  isToldOnce(worker);
  const { pollers } = (await (await fetch(`${worker.url}/healthz`)).json()) as {
    pollers: Record<string, { lastReceiveAgeMs: number; state: string }>;
  };
  assert.is(pollers['FaultQueue']?.state, 'polling');
  assert.ok((pollers['FaultQueue']?.lastReceiveAgeMs ?? Infinity) < 10_000);
});

test.run();
