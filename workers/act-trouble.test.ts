import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { workLane } from './act.ts';
import type { Pair } from './in-hand.ts';
import { each } from './testing/one-event-system.ts';
import { type HandlerModule, done } from '../core/events/handler.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { seedInbox } from '../core/testing/engine.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { appliedOrder, run, seed, system } from './testing/act-system.ts';

test('a handler that waits for a lock somebody else holds has had no attempt, however often it is tried', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await sql`create table state (n int)`.execute(db);
  await sql`insert into state values (0)`.execute(db);
  const writing = each(async (n, _, { trx }) => {
    await sql`update state set n = ${n}`.execute(trx);
    return done;
  });
  const { deps } = system(world, { h: { run: writing } });
  await seed(world, 'm1', [{ n: 1 }]);
  const other = await db.startTransaction().execute();
  await sql`select from state for update`.execute(other);
  for (let visit = 0; visit < 5; visit++) {
    const error = await run({ ...deps, leaseMs: 2_000 }, 'm1').catch((reason: unknown) => reason);
    assert.is(error instanceof Error && 'code' in error && error.code, '55P03');
  }
  assert.equal(await db.selectFrom('deliveries').selectAll().execute(), []);
  await other.rollback().execute();
  await run(deps, 'm1');
  const { rows } = await sql<{ attempts: number }>`select attempts from settlements`.execute(db);
  assert.equal(rows, [{ attempts: 1 }]);
});

test('an infrastructure error costs no attempt and leaves everything as it was', async () => {
  await using world = await createWorld();
  const { deps } = system(world, {
    h: {
      run: each(() => {
        throw Object.assign(new Error('terminating connection'), { code: '57P01' });
      }),
    },
  });
  await seed(world, 'm1', [{ n: 1 }]);
  for (let i = 0; i < 5; i++) {
    let thrown: unknown;
    await run(deps, 'm1').catch((error: unknown) => (thrown = error));
    assert.ok(thrown);
  }
  assert.equal(await world.postgres.db.selectFrom('deliveries').selectAll().execute(), []);
  assert.equal(await world.postgres.db.selectFrom('settlements').selectAll().execute(), []);
});

test('a handler that hangs is ended at its deadline, its connection with it, and that counts as an attempt', async () => {
  await using world = await createWorld();
  let aborted = false;
  const hanging: HandlerModule = {
    handle: (_, { signal }) =>
      new Promise(() => {
        signal.addEventListener('abort', () => (aborted = true));
      }),
  };
  const { deps } = system(world, { h: { run: hanging } });
  await seed(world, 'm1', [{ n: 1 }]);
  assert.is((await run({ ...deps, leaseMs: 2_000 }, 'm1')).kind, 'waiting');
  assert.ok(aborted);
  const row = await world.postgres.db.selectFrom('deliveries').selectAll().executeTakeFirstOrThrow();
  assert.equal([row.attempt, row.last_error?.code], [1, 'handler.deadline']);
});

test('a worker that was thought dead is refused: another owner, or another cursor', async () => {
  await using world = await createWorld();
  let release = () => undefined as void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let held = 0;
  const slow = each(async (n) => {
    if (n === 2 && held++ === 0) await gate;
    return done;
  });
  const { deps } = system(world, { h: { run: slow } });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }, { n: 3 }]);
  const stale = run({ ...deps, windowEvents: 1, worker: 'stale' }, 'm1').then(
    () => undefined,
    (error: unknown) => error,
  );
  await waitFor('the second window', () => held > 0);
  // The stale owner sits in its second window. Its server session ends as the idle time-out would end it.
  await world.postgres.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
  );
  assert.is((await run({ ...deps, worker: 'successor' }, 'm1')).kind, 'caught-up');
  release();
  assert.ok(await stale, 'the stale owner is refused');
  assert.equal(await appliedOrder(world, 'm1'), [1, 2, 3]);
});

test('an owner that slept between two windows is refused by the fence, and writes nothing more', async () => {
  await using world = await createWorld();
  const { deps } = system(world, { h: { run: each(() => done) } });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
  let windows = 0;
  const sleepy = new Proxy(world.postgres.pool, {
    get: (pool, key) =>
      key === 'connect'
        ? async () => {
            windows += 1;
            if (windows === 2)
              assert.is(
                (await run({ ...deps, worker: 'successor', windowEvents: 2, quantumWindows: 1 }, 'm1')).kind,
                'yield',
              );
            return await pool.connect();
          }
        : Reflect.get(pool, key),
  });
  const refused = await run({ ...deps, pool: sleepy, worker: 'sleepy', windowEvents: 1 }, 'm1').then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.instance(refused, LanewayError);
  assert.is((refused as LanewayError).code, 'fence.lost');
  assert.is((refused as LanewayError).detail['foundWorker'], 'successor');
  assert.equal(await appliedOrder(world, 'm1'), [1, 2, 3]);
  const { rows } = await world.postgres.pool.query('select worker from applied order by mseq');
  assert.equal(
    rows.map((row: { worker: string }) => row.worker),
    ['sleepy', 'successor', 'successor'],
  );
});

test('an event that kills its process three times is poison, and takes no other event with it', async () => {
  await using world = await createWorld();
  let deaths = 0;
  let process = new AbortController();
  const deadly = each((n) => {
    if (n !== 2) return done;
    deaths += 1;
    // A process that dies returns from nothing, and its transaction is rolled back.
    process.abort(new Error('killed'));
    return new Promise<never>(() => undefined);
  });
  const { deps } = system(world, { h: { run: deadly } });
  await seed(world, 'm1', [{ n: 1 }, { n: 2 }, { n: 3 }]);
  const visit = () => {
    process = new AbortController();
    return workLane(deps, 'm1', { careful: true, stop: process.signal });
  };
  for (let i = 0; i < 3; i++) await visit().catch(() => undefined);
  assert.is(deaths, 3);
  assert.is((await visit()).kind, 'caught-up');
  assert.is(deaths, 3);
  const rows = await world.postgres.db
    .selectFrom('settlements')
    .select(['mseq', 'outcome', 'reason'])
    .orderBy('mseq')
    .execute();
  assert.equal(
    rows.map((r) => [r.mseq, r.outcome, r.reason]),
    [
      [1, 'done', null],
      [2, 'dead', 'worker.crashed'],
      [3, 'done', null],
    ],
  );
});

test('Postgres going away under a careful visit is not the death of what it ran', async () => {
  await using world = await createWorld();
  let away = true;
  const h = each(() => {
    if (away) throw Object.assign(new Error('terminating connection'), { code: '57P01' });
    return done;
  });
  const { deps } = system(world, { h: { run: h } });
  await seed(world, 'm1', [{ n: 1 }]);
  for (let i = 0; i < 5; i++) await run(deps, 'm1', true).catch(() => undefined);
  away = false;
  assert.equal(await run(deps, 'm1', true), { kind: 'caught-up', events: 1 });
  assert.equal(await appliedOrder(world, 'm1'), [1]);
});

test('a careful visit that nothing dies of takes one commit for its window', async () => {
  await using world = await createWorld();
  const { deps } = system(world, { h: { run: each(() => done) } });
  await seed(
    world,
    'm1',
    Array.from({ length: 8 }, (_, n) => ({ n })),
  );
  const noted: number[] = [];
  const note = (merchantId: string, pair: Pair) => {
    noted.push(pair.mseq);
    return deps.inHand.note(merchantId, pair);
  };
  await run({ ...deps, inHand: { ...deps.inHand, note } }, 'm1', true);
  assert.equal(noted, [1, 2, 3, 4, 5, 6, 7, 8], 'what is run is noted before');
  const { rows } = await sql<{ n: number }>`select count(distinct xmin::text)::int as n from settlements`.execute(
    world.postgres.db,
  );
  assert.is(rows[0]?.n, 1);
});

test('a careful visit leaves an event behind the earlier one of its aggregate that was set aside', async () => {
  await using world = await createWorld();
  let broken = true;
  const { deps, clock } = system(world, {
    h: {
      holds: 'aggregate',
      run: each((n) => {
        if (n === 1 && broken) throw new Error('not yet');
        return done;
      }),
    },
  });
  await seed(world, 'm', [{ n: 1, key: 'a' }]);
  await run(deps, 'm');
  broken = false;
  await seedInbox(world.postgres.db, [{ merchantId: 'm', eventType: 'TestEvent', payload: { n: 2, key: 'a' } }]);
  await run(deps, 'm', true);
  assert.equal(await appliedOrder(world, 'm'), []);
  clock.time += 60_000;
  await run(deps, 'm', true);
  assert.equal(await appliedOrder(world, 'm'), [1, 2]);
});

test('one handler of an event that is run carefully lets none of its others overtake an aggregate', async () => {
  await using world = await createWorld();
  let broken = true;
  const { deps, clock } = system(world, {
    first: { run: each(() => done) },
    second: {
      holds: 'aggregate',
      run: each((n) => {
        if (n === 1 && broken) throw new Error('not yet');
        return done;
      }),
    },
  });
  await seed(world, 'm', [{ n: 1, key: 'a' }]);
  await run(deps, 'm');
  broken = false;
  await seedInbox(world.postgres.db, [{ merchantId: 'm', eventType: 'TestEvent', payload: { n: 2, key: 'a' } }]);
  await run(deps, 'm', true);
  const open = await world.postgres.db.selectFrom('deliveries').select(['mseq', 'state']).orderBy('mseq').execute();
  assert.equal(open, [
    { mseq: 1, state: 'waiting' },
    { mseq: 2, state: 'behind' },
  ]);
  clock.time += 60_000;
  await run(deps, 'm');
  assert.equal(await appliedOrder(world, 'm'), [1, 2, 1, 2]);
});

test('a handler that is ended by its deadline lets none of the others of its event overtake an aggregate', async () => {
  await using world = await createWorld();
  let broken = true;
  const { deps, clock } = system(world, {
    first: {
      holds: 'event',
      run: each((n) => (n === 2 && broken ? new Promise<never>(() => undefined) : done)),
    },
    second: {
      holds: 'aggregate',
      run: each((n) => {
        if (n === 1 && broken) throw new Error('not yet');
        return done;
      }),
    },
  });
  await seed(world, 'm', [{ n: 1, key: 'a' }]);
  await run(deps, 'm');
  await seedInbox(world.postgres.db, [{ merchantId: 'm', eventType: 'TestEvent', payload: { n: 2, key: 'a' } }]);
  await run({ ...deps, leaseMs: 400 }, 'm');
  const open = await world.postgres.db.selectFrom('deliveries').select(['mseq', 'handler', 'state']).execute();
  assert.equal(open.map(({ mseq, handler, state }) => `${mseq} ${handler} ${state}`).toSorted(), [
    '1 second waiting',
    '2 first waiting',
    '2 second behind',
  ]);
  broken = false;
  clock.time += 60_000;
  await run(deps, 'm');
  assert.equal(await appliedOrder(world, 'm'), [1, 1, 2, 2]);
});

test.run();
