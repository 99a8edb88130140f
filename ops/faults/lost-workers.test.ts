// test-stack
// test-deadline: 300s
import { join } from 'node:path';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFleet } from './fleet.ts';
import { waitFor } from '../../core/testing/wait-for.ts';

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));
const ids = (merchant: string, count: number) => numbered(1, count).map(({ n }) => `${merchant}-${n}`);
const LEASE_MS = 4_000;
/** A takeover takes little more than a lease; without an end to the lease nobody would ever take over. */
const TAKEOVER_MS = 5 * LEASE_MS;

test('a worker stopped in the middle of a transaction holds its lane no longer than its lease, and is refused when it comes back', async () => {
  await using fleet = await createFleet({ LANEWAY_LEASE_MS: String(LEASE_MS) });
  const stopped = await fleet.start('stopped');
  await fleet.send('m', [{ n: 1 }, { n: 2, act: 'stop', in: 'stopped' }, { n: 3 }]);
  await stopped.says('fault begins');
  const from = performance.now();
  await fleet.start('successor');
  const settled = await fleet.settled('m', 3);
  const tookMs = performance.now() - from;
  assert.equal(
    settled.map(({ eventId, worker }) => [eventId, worker]),
    ids('m', 3).map((id) => [id, 'successor']),
  );
  assert.ok(tookMs < TAKEOVER_MS, `taken over after ${Math.round(tookMs)} ms`);

  stopped.signal('SIGCONT');
  const refusal = await waitFor('the refusal', () =>
    stopped.lines.find(({ message }) => /^(lease lost, stopping this run|refused by the fence)/.test(message)),
  );
  assert.is(refusal['merchantId'], 'm');
  // Back at work, with nothing written in its old name.
  await fleet.send('m', numbered(4, 6));
  const all = await fleet.settled('m', 6);
  assert.equal(
    all.map(({ eventId }) => eventId),
    ids('m', 6),
  );
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
  assert.is((await fetch(`${stopped.url}/readyz`)).status, 200);
});

test('the lanes of a worker that was killed are picked up when its lease has passed', async () => {
  await using fleet = await createFleet({ LANEWAY_LEASE_MS: String(LEASE_MS) });
  const killed = await fleet.start('killed');
  await fleet.start('successor');
  const merchants = Array.from({ length: 16 }, (_, i) => `m${i}`);
  await Promise.all(merchants.map((merchant) => fleet.send(merchant, [{ n: 1, act: 'hang', in: 'killed' }, { n: 2 }])));
  await fleet.accepted(2 * merchants.length);
  await killed.says('fault begins');
  killed.signal('SIGKILL');
  const from = performance.now();
  await Promise.all(merchants.map((merchant) => fleet.settled(merchant, 2)));
  const tookMs = performance.now() - from;
  assert.ok(tookMs < TAKEOVER_MS, `picked up after ${Math.round(tookMs)} ms`);
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
});

test('told to stop with a handler that hangs, a worker puts its lane back, says so, and exits in its time', async () => {
  const drainMs = 9_000;
  await using fleet = await createFleet({ LANEWAY_LEASE_MS: '60000', LANEWAY_DRAIN_MS: String(drainMs) });
  const leaving = await fleet.start('leaving');
  await fleet.send('m', [{ n: 1, act: 'hang', in: 'leaving' }, { n: 2 }]);
  await leaving.says('fault begins');
  await fleet.start('staying');
  leaving.signal('SIGTERM');
  const from = performance.now();
  const draining = await waitFor('the health endpoint to tell', async () => {
    const answer = await fetch(`${leaving.url}/readyz`);
    const body: unknown = await answer.json();
    return answer.status === 503 ? body : undefined;
  });
  assert.is((draining as { state: string }).state, 'draining');
  assert.is((await fetch(`${leaving.url}/healthz`)).status, 200);
  const exit = await leaving.exited;
  assert.ok(performance.now() - from < 3 * drainMs);
  assert.equal(exit, { code: 0, signal: null });
  assert.equal(
    leaving.said('put back').map((line) => line['merchantId']),
    ['m'],
  );
  const settled = await fleet.settled('m', 2, 20_000);
  assert.equal(
    settled.map(({ eventId, worker, attempts }) => [eventId, worker, attempts]),
    [
      ['m-1', 'staying', 1],
      ['m-2', 'staying', 1],
    ],
  );
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
});

test('replacing every worker under load loses no event and no order', async () => {
  await using fleet = await createFleet({ LANEWAY_LEASE_MS: '10000', LANEWAY_DRAIN_MS: '10000' });
  const merchants = Array.from({ length: 12 }, (_, i) => `m${i}`);
  const old = await Promise.all([fleet.start('a'), fleet.start('b')]);
  let sentTo = 0;
  const load = (async () => {
    for (let from = 1; from <= 60; from += 6) {
      await Promise.all(merchants.map((merchant) => fleet.send(merchant, numbered(from, from + 5))));
      sentTo = from + 5;
    }
  })();
  for (const [i, worker] of old.entries()) {
    await waitFor('a part of the load', () => sentTo >= 6 * (i + 1));
    await fleet.start(`new-${i}`);
    worker.signal('SIGTERM');
    assert.is((await worker.exited).code, 0);
  }
  await load;
  for (const merchant of merchants) {
    const settled = await fleet.settled(merchant, 60);
    assert.equal(
      settled.map(({ eventId }) => eventId),
      ids(merchant, 60),
    );
  }
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
  const { rows } = await sql<{ workers: number }>`
    select count(distinct worker)::int as workers from settlements`.execute(fleet.world.postgres.db);
  assert.ok((rows[0]?.workers ?? 0) >= 2, 'old and new had their share');
});

test('a database that a newer release broke with is refused by name, with exit code 2', async () => {
  await using fleet = await createFleet();
  await sql`update schema_info set version = 99, breaking_version = 99`.execute(fleet.world.postgres.db);
  const worker = fleet.run(join(import.meta.dirname, '../../workers/main.ts'), 'old');
  assert.equal(await worker.exited, { code: 2, signal: null });
  assert.match(worker.stderr, /^schema\.newer: the database needs code of schema 99 or newer, this is \d+\n$/);
});

test.run();
