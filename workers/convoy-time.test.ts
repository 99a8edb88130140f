// test-stack
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConvoyPace } from './convoy-pace.ts';
import { type HandlerModule, done } from '../core/events/handler.ts';
import { systemClock } from '../core/runtime/clock.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { type Many, setup, kinds } from './testing/convoy-system.ts';

test('a deadlock gives all locks up, and the lanes are tried again in halves', async () => {
  let deadlocks = 0;
  await using s = await setup();
  const handleMany: Many = (events, context) => {
    if (events.length < 4) return s.record(events, context);
    deadlocks += 1;
    return Promise.reject(Object.assign(new Error('deadlock detected'), { code: '40P01' }));
  };
  const merchants = ['m1', 'm2', 'm3', 'm4'];
  for (const merchant of merchants) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures(...merchants), { handlers: new Map([['handleA', { handleMany }]]) });
  assert.ok([...ends.values()].every(({ kind }) => kind === 'worked'));
  assert.is(deadlocks, 1);
  assert.is(await s.commits(), 2);
});

test('a server that goes away during a call is told of in its own words', async () => {
  const gone = Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' });
  await using s = await setup({ a: { handleMany: () => Promise.reject(gone) } });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  assert.is(await s.work(s.tenures('m1', 'm2')).catch((error: unknown) => error), gone);
});

test('what a convoy has no time for is put back, and who was not running is not blamed', async () => {
  const clock = { ...systemClock, now: () => nowMs };
  let nowMs = Date.now();
  const hang: HandlerModule = {
    handle: () => {
      nowMs += 60_000;
      return new Promise(() => undefined);
    },
  };
  await using s = await setup({ a: hang });
  const merchants = ['m1', 'm2', 'm3', 'm4'];
  for (const merchant of merchants) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures(...merchants), { callMs: 200, convoyMs: 100_000, clock });
  assert.equal(kinds(ends), {
    m1: 'alone, failed: true',
    m2: 'alone, failed: true',
    m3: 'put-back',
    m4: 'put-back',
  });
});

test('a handler that takes too long is left alone, and the others go on without it', async () => {
  const handle: HandlerModule = {
    handle: ({ merchantId }, { signal }) =>
      merchantId === 'm1'
        ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))))
        : Promise.resolve(done),
  };
  await using s = await setup({ a: handle });
  for (const merchant of ['m1', 'm2', 'm3']) await s.seed(merchant, 'A');
  const ends = await s.work(s.tenures('m1', 'm2', 'm3'), { callMs: 300 });
  assert.equal(kinds(ends), { m1: 'alone, failed: true', m2: 'worked', m3: 'worked' });
});

test('events that are quick alone and together too many for the time of a convoy go on in smaller ones', async () => {
  const handle: HandlerModule = {
    async handle() {
      await systemClock.sleep(10);
      return done;
    },
  };
  await using s = await setup({ a: handle });
  const merchants = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8'];
  for (const merchant of merchants) await s.seed(merchant, ...Array<string>(10).fill('A'));
  const pace = createConvoyPace({ most: 100, meantMs: 100 });
  const first = await s.work(s.tenures(...merchants), { convoyMs: 500, pace });
  assert.ok([...first.values()].every(({ kind }) => kind === 'put-back'));
  assert.is(pace.events, 16);
  const second = await s.work(s.tenures(...merchants), { pace });
  assert.ok([...second.values()].every(({ kind }) => kind === 'worked'));
});

test('a row that somebody outside holds costs the others a short lock time-out, not the time it is held', async () => {
  const write: HandlerModule = {
    async handleMany(events, { trx }) {
      for (const { merchantId } of events)
        await sql`insert into notes values (${merchantId}, 1) on conflict (merchant_id) do update set n = 2`.execute(
          trx,
        );
      return events.map(() => done);
    },
  };
  await using s = await setup({ a: write });
  for (const merchant of ['m1', 'm2', 'm3', 'm4']) await s.seed(merchant, 'A');
  await sql`insert into notes values ('m3', 0)`.execute(s.db);
  const outside = await s.db.startTransaction().execute();
  await sql`update notes set n = 7 where merchant_id = 'm3'`.execute(outside);
  const ends = await s.work(s.tenures('m1', 'm2', 'm3', 'm4'));
  assert.equal(kinds(ends), { m1: 'worked', m2: 'worked', m3: 'alone, failed: true', m4: 'worked' });
  await outside.rollback().execute();
});

test('a lane that somebody has locked is left out without waiting for it', async () => {
  await using s = await setup();
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  await sql`insert into lanes (merchant_id) values ('m1'), ('m2')`.execute(s.db);
  const outside = await s.db.startTransaction().execute();
  await sql`select from lanes where merchant_id = 'm1' for update`.execute(outside);
  assert.equal(kinds(await s.work(s.tenures('m1', 'm2'))), { m1: 'alone, failed: false', m2: 'worked' });
  await outside.rollback().execute();
});

test('a server that goes away in the middle is told as such, and nothing of the convoy is committed', async () => {
  const killed: HandlerModule = {
    async handleMany(events, { trx }) {
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(trx);
      return events.map(() => done);
    },
  };
  await using s = await setup({ a: killed });
  for (const merchant of ['m1', 'm2']) await s.seed(merchant, 'A');
  const failure = await s.work(s.tenures('m1', 'm2')).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof Error);
  assert.equal(await s.applied(), {});
  await waitFor(
    'the lanes to be free',
    async () =>
      kinds(await s.work(s.tenures('m1'), { handlers: new Map([['handleA', { handleMany: s.record }]]) }))['m1'] ===
      'worked',
  );
});

test.run();
