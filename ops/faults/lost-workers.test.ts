// test-stack
// test-deadline: 300s
import { join } from 'node:path';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Fleet, type FleetWorker, createFleet } from './fleet.ts';
import { waitFor } from '../../core/testing/wait-for.ts';

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));
const ids = (merchant: string, count: number) => numbered(1, count).map(({ n }) => `${merchant}-${n}`);
const LEASE_MS = 4_000;
/** The lease, and the five seconds more that are promised. */
const TAKEOVER_MS = LEASE_MS + 5_000;

test('lanes of a worker that is stopped, killed or told to go are taken over by the next in order, and the old owner is refused', async () => {
  await using fleet = await createFleet({ LANEWAY_LEASE_MS: String(LEASE_MS), LANEWAY_VISIBILITY_SECONDS: '5' });
  const stopped = await fleet.start('stopped');
  const successor = await stopInTransaction(fleet, stopped);
  await killWithLanes(fleet, stopped);
  successor.signal('SIGKILL');
  await successor.exited;
  const staying = await drainWithHungHandlers(fleet);
  await replaceUnderLoad(fleet, staying);
  assert.equal(await fleet.failures(), { deadLetters: 0, attempts: 0, deliveries: 0 });
});

/** In the middle of a transaction, and let go on when its lane has another owner. */
async function stopInTransaction(fleet: Fleet, stopped: FleetWorker): Promise<FleetWorker> {
  await fleet.send('m', [{ n: 1 }, { n: 2, act: 'stop', in: 'stopped' }, { n: 3 }]);
  await stopped.says('fault begins');
  const successor = await fleet.start('successor');
  const from = performance.now();
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
  assert.is((await fetch(`${stopped.url}/readyz`)).status, 200);
  return successor;
}

async function killWithLanes(fleet: Fleet, killed: FleetWorker): Promise<void> {
  const merchants: string[] = [];
  const begun = killed.said('fault begins').length;
  // Until the one that is to be killed has got a lane: the other takes what it can.
  while (killed.said('fault begins').length === begun && merchants.length < 200) {
    const merchant = `k${merchants.length}`;
    merchants.push(merchant);
    await fleet.send(merchant, [{ n: 1, act: 'hang', in: killed.name }, { n: 2 }]);
  }
  killed.signal('SIGKILL');
  const from = performance.now();
  await Promise.all(merchants.map((merchant) => fleet.settled(merchant, 2)));
  const tookMs = performance.now() - from;
  assert.ok(tookMs < TAKEOVER_MS, `picked up after ${Math.round(tookMs)} ms`);
}

/** All connections of its lanes are held by handlers that hang; intake has its own. */
async function drainWithHungHandlers(fleet: Fleet): Promise<FleetWorker> {
  const drainMs = 7_000;
  const long = { LANEWAY_LEASE_MS: '60000', LANEWAY_DRAIN_MS: String(drainMs), LANEWAY_POSTGRES_POOL: '2' };
  const leaving = await fleet.start('leaving', long);
  for (const merchant of ['d0', 'd1']) await fleet.send(merchant, [{ n: 1, act: 'hang', in: 'leaving' }, { n: 2 }]);
  // Together at first, and each on its own when that took too long.
  await waitFor('both to hang', async () => {
    const { rows } = await sql<{ held: number }>`
      select count(*)::int as held from pg_stat_activity
      where datname = current_database() and application_name = 'leaving' and state = 'idle in transaction'
    `.execute(fleet.world.postgres.db);
    return rows[0]?.held === 2;
  });
  await fleet.send('later', [{ n: 1 }]);
  await waitFor('more to be accepted', async () => {
    const found = await fleet.world.postgres.db
      .selectFrom('accepted')
      .select('mseq')
      .where('merchant_id', '=', 'later')
      .execute();
    return found.length === 1;
  });
  assert.is((await fetch(`${leaving.url}/readyz`)).status, 200);

  const staying = await fleet.start('staying', { LANEWAY_LEASE_MS: '10000' });
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
    leaving
      .said('put back')
      .map((line) => String(line['merchantId']))
      .filter((merchantId) => merchantId !== 'later')
      .toSorted((a, b) => (a < b ? -1 : 1)),
    ['d0', 'd1'],
  );
  for (const merchant of ['d0', 'd1']) {
    const settled = await fleet.settled(merchant, 2, 20_000);
    assert.equal(
      settled.map(({ eventId, worker, attempts }) => [eventId, worker, attempts]),
      ids(merchant, 2).map((id) => [id, 'staying', 1]),
    );
  }
  return staying;
}

const BACKLOG = 50;

/** Each worker by the next, while events keep coming. */
async function replaceUnderLoad(fleet: Fleet, first: FleetWorker): Promise<void> {
  const merchants = Array.from({ length: 4 }, (_, i) => `r${i}`);
  let sent = 0;
  const replaced = new AbortController();
  const load = (async () => {
    while (!replaced.signal.aborted && sent < 2_000) {
      await Promise.all(merchants.map((merchant) => fleet.send(merchant, numbered(sent + 1, sent + 5))));
      sent += 5;
      // Enough to be replaced under; a backlog of thousands would only be waited for.
      await fleet.settled('r0', Math.max(1, sent - BACKLOG));
    }
  })();
  await fleet.settled('r0', 1);
  let old = first;
  for (const name of ['second', 'third']) {
    const next = await fleet.start(name, { LANEWAY_LEASE_MS: '10000', LANEWAY_DRAIN_MS: '10000' });
    old.signal('SIGTERM');
    assert.is((await old.exited).code, 0);
    old = next;
  }
  replaced.abort();
  await load;
  for (const merchant of merchants) {
    const settled = await fleet.settled(merchant, sent);
    assert.equal(
      settled.map(({ eventId }) => eventId),
      ids(merchant, sent),
    );
  }
  const { rows } = await sql<{ workers: number }>`
    select count(distinct worker)::int as workers from settlements where merchant_id like 'r%'
  `.execute(fleet.world.postgres.db);
  assert.ok((rows[0]?.workers ?? 0) >= 2, 'old and new had their share');
}

test('a database that a newer release broke with is refused by name, with exit code 2', async () => {
  await using fleet = await createFleet();
  await sql`update schema_info set version = 99, breaking_version = 99`.execute(fleet.world.postgres.db);
  const worker = fleet.run(join(import.meta.dirname, '../../workers/main.ts'), 'old');
  assert.equal(await worker.exited, { code: 2, signal: null });
  assert.match(worker.stderr, /^schema\.newer: the database needs code of schema 99 or newer, this is \d+\n$/);
});

test.run();
