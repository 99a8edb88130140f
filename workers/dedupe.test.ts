import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { type Clock, systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { acceptable } from '../core/testing/acceptable.ts';
import { createDynamoTable } from '../core/testing/dynamo-table.ts';
import { createWorld } from '../core/testing/world.ts';
import { createAdmission } from './admit.ts';
import { decideMark } from './confirm-marks.ts';
import { type Dedupe, createDedupe } from './dedupe.ts';

const DAY_MS = 86_400_000;

/** A table of its own, and a clock that the test moves. */
async function setUp(dedupeDays = 90) {
  const dynamodb = connectDynamoDB();
  const table = `t${randomBytes(5).toString('hex')}`;
  await createDynamoTable(dynamodb, table);
  const time = { offsetMs: 0 };
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + time.offsetMs };
  const connect = (name: string) => createDedupe({ dynamodb, table: name, clock, log: silentLog, dedupeDays });
  return {
    dynamodb,
    table,
    clock,
    time,
    connect,
    dedupe: connect(table),
    [Symbol.dispose]: () => dynamodb.destroy(),
  };
}

const hmac = (text: string) => Buffer.from(text);

test('a mark is found again under merchant and event id together, more of them than one request takes', async () => {
  using world = await setUp();
  const events = Array.from({ length: 130 }, (_, i) => ({ merchantId: `m${i % 7}`, eventId: `e:${i}` }));
  const other = { merchantId: 'm0:e', eventId: '0' };
  const now = world.clock.now();
  world.dedupe.mark(events.map((event, i) => ({ ...event, mseq: i + 1, acceptedAtMs: now, bodyHmac: hmac(`h${i}`) })));
  await world.dedupe.flush();
  const fresh = await world.dedupe.lookup([...events, other]);
  assert.equal([...fresh.keys()], events);
  assert.equal(fresh.get(events[101] ?? other), {
    mseq: 102,
    acceptedAtMs: now,
    bodyHmac: hmac('h101'),
  });
});

test('a mark past its expiry does not count, although DynamoDB still has it', async () => {
  using world = await setUp(10);
  const event = { merchantId: 'm', eventId: 'e' };
  world.dedupe.mark([{ ...event, mseq: 1, acceptedAtMs: world.clock.now(), bodyHmac: hmac('h') }]);
  await world.dedupe.flush();
  world.time.offsetMs = 9.9 * DAY_MS;
  assert.is((await world.dedupe.lookup([event])).size, 1);
  world.time.offsetMs = 10.1 * DAY_MS;
  assert.is((await world.dedupe.lookup([event])).size, 0);
});

test('while DynamoDB is away nothing is known, nothing rejects, and it is not asked again for five seconds', async () => {
  using world = await setUp();
  const event = { merchantId: 'm', eventId: 'e' };
  const missing = world.connect('no-such-table');
  assert.is((await missing.lookup([event])).size, 0);
  missing.mark([{ ...event, mseq: 1, acceptedAtMs: 1, bodyHmac: hmac('h') }]);
  await missing.flush();

  let asked = 0;
  const counting = createDedupe({
    dynamodb: Object.assign(Object.create(world.dynamodb) as typeof world.dynamodb, {
      send: () => {
        asked += 1;
        return Promise.reject(new Error('away'));
      },
    }),
    table: 'any',
    clock: world.clock,
    log: silentLog,
    dedupeDays: 90,
  });
  await counting.lookup([event]);
  await counting.lookup([event]);
  assert.is(asked, 1);
  world.time.offsetMs += 5_001;
  await counting.lookup([event]);
  assert.is(asked, 2);
});

test('marks of many small batches are written in few requests, and all of them before a flush ends', async () => {
  using world = await setUp();
  let requests = 0;
  const { dynamodb } = world;
  const counting = createDedupe({
    dynamodb: Object.assign(Object.create(dynamodb) as typeof dynamodb, {
      send: (command: never) => {
        requests += 1;
        return dynamodb.send(command);
      },
    }),
    table: world.table,
    clock: world.clock,
    log: silentLog,
    dedupeDays: 90,
  });
  const marks = Array.from({ length: 30 }, (_, n) => ({ merchantId: 'm', eventId: `e${n}`, mseq: n + 1 }));
  for (const mark of marks) counting.mark([{ ...mark, acceptedAtMs: world.clock.now(), bodyHmac: hmac('h') }]);
  await counting.flush();
  assert.is(requests, 3);
  assert.is((await world.dedupe.lookup(marks)).size, 30);
});

test('a mark alone never drops an event: the decision table', () => {
  const now = 100 * DAY_MS;
  const horizon = { now, purgeDays: 30 };
  const row = { mseq: 7, day: '2026-11-23', bodyHmac: hmac('same') };
  const old = { mseq: 7, acceptedAtMs: 69 * DAY_MS, bodyHmac: hmac('same') };
  const recent = { ...old, acceptedAtMs: 71 * DAY_MS };
  const lane = { nextMseq: 10, cursor: 4 };
  const decide = (mark: typeof old, known: Parameters<typeof decideMark>[1], bytes = 'same') =>
    decideMark(mark, known, hmac(bytes), horizon)?.status ?? 'accept';

  assert.is(decide(recent, { row, ...lane }), 'duplicate');
  assert.is(decide(old, { row, ...lane }), 'duplicate');
  assert.is(decide(recent, { row, ...lane }, 'other'), 'conflict');
  assert.is(decide(old, { row: undefined, ...lane }), 'forgotten');
  assert.is(decide(old, { row: undefined, ...lane }, 'other'), 'conflict');
  // Not purged yet, so Postgres should have it and lost it: restored to a point in time.
  assert.is(decide(recent, { row: undefined, ...lane }), 'accept');
  // The mailbox never came so far: restored, and long ago.
  assert.is(decide(old, { row: undefined, nextMseq: 7, cursor: 0 }), 'accept');
  assert.is(decide(old, { row: undefined, nextMseq: undefined, cursor: 0 }), 'accept');
  assert.equal(decideMark(recent, { row, ...lane }, hmac('same'), horizon), {
    status: 'duplicate',
    mseq: 7,
    day: '2026-11-23',
    lane: { cursor: 4, backlog: 5 },
  });
});

async function admissionOf(world: Awaited<ReturnType<typeof createWorld>>, dedupe: Dedupe, clock: Clock) {
  const admit = createAdmission({ db: world.postgres.db, dedupe, clock, purgeDays: 30 });
  return async (...events: ReturnType<typeof acceptable>[]) => {
    const verdicts = await admit(events);
    await dedupe.flush();
    return verdicts.map((verdict) => ('mseq' in verdict ? `${verdict.status} ${verdict.mseq}` : verdict.status));
  };
}

test('an event comes again: at once, after the purge, and after Postgres was restored to a time before it', async () => {
  await using world = await createWorld();
  using memory = await setUp();
  const admit = await admissionOf(world, memory.dedupe, memory.clock);
  const { db } = world.postgres;
  const [first, second] = [acceptable('m', 'e1'), acceptable('m', 'e2')];

  assert.equal(await admit(first, second), ['accepted 1', 'accepted 2']);
  assert.equal(await admit(second, acceptable('m', 'e3')), ['duplicate 2', 'accepted 3']);
  assert.equal(await admit(acceptable('m', 'e1', 'other bytes')), ['conflict']);

  // Restored to before e2: its mark is younger than anything that is purged.
  await sql`delete from accepted where mseq >= 2`.execute(db);
  await sql`delete from inbox where mseq >= 2`.execute(db);
  await sql`update mailbox set next_mseq = 2`.execute(db);
  assert.equal(await admit(second), ['accepted 2']);

  // Purged.
  memory.time.offsetMs = 31 * DAY_MS;
  await sql`delete from accepted`.execute(db);
  assert.equal(await admit(first), ['forgotten']);
  assert.equal(await admit(acceptable('m', 'e1', 'other bytes')), ['conflict']);

  // Restored after the purge, to before e1.
  await sql`delete from inbox`.execute(db);
  await sql`update mailbox set next_mseq = 1`.execute(db);
  assert.equal(await admit(first), ['accepted 1']);
});

test('without DynamoDB duplicates are found all the same', async () => {
  await using world = await createWorld();
  using memory = await setUp();
  const admit = await admissionOf(world, memory.connect('no-such-table'), memory.clock);
  const event = acceptable('m', 'e1');
  assert.equal(await admit(event), ['accepted 1']);
  assert.equal(await admit(event), ['duplicate 1']);
});

test.run();
