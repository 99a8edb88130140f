import { randomBytes } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ensurePartitions } from '../core/database/migrate.ts';
import type { Database } from '../core/database/tables.ts';
import { type Clock, systemClock } from '../core/runtime/clock.ts';
import { acceptable } from '../core/testing/acceptable.ts';
import { createWorld } from '../core/testing/world.ts';
import { acceptBatch } from './accept.ts';

const DAY_MS = 86_400_000;
const clock = systemClock;
const clockAt = (offsetMs: number): Clock => ({ ...systemClock, now: () => systemClock.now() + offsetMs });

/** Merchants whose numbers have a gap, whose mailbox is not where its inbox ends, or whose day falls as numbers rise. */
async function faultyMerchants(db: Kysely<Database>): Promise<readonly string[]> {
  const { rows } = await sql<{ merchant_id: string }>`
    select m.merchant_id from mailbox m left join (
      select merchant_id, count(*) as n, max(mseq) as last, bool_or(day < before) as fell
      from (select *, lag(day) over (partition by merchant_id order by mseq) as before from inbox) i
      group by merchant_id
    ) i using (merchant_id)
    left join (select merchant_id, count(*) as n from accepted group by merchant_id) a using (merchant_id)
    where coalesce(i.last, 0) <> m.next_mseq - 1 or coalesce(i.n, 0) <> m.next_mseq - 1
      or coalesce(a.n, 0) <> m.next_mseq - 1 or i.fell
  `.execute(db);
  return rows.map((row) => row.merchant_id);
}

test('events are numbered in the order given, and stored with their bytes as received', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const body = Buffer.from('{"a" : 1,  "ü":"\\u00fc"}\n');
  const events = [{ ...acceptable('m', 'e1'), body }, acceptable('n', 'e1'), acceptable('m', 'e2')];
  const results = await acceptBatch(db, events, { clock });
  assert.equal(
    results.map((result) => [result.status, 'mseq' in result && result.mseq, 'lane' in result && result.lane]),
    [
      ['accepted', 1, { cursor: 0, backlog: 2 }],
      ['accepted', 1, { cursor: 0, backlog: 1 }],
      ['accepted', 2, { cursor: 0, backlog: 2 }],
    ],
  );
  const row = await db
    .selectFrom('inbox')
    .selectAll()
    .where('event_id', '=', 'e1')
    .where('merchant_id', '=', 'm')
    .executeTakeFirstOrThrow();
  assert.ok(row.body.equals(body));
  assert.is(row.bytes, body.length);
  assert.is(row.source_queue, 'TestQueue');
});

test('a duplicate gets the number of the first and burns none; the same id with other bytes is a conflict', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const first = acceptable('m', 'e1');
  await acceptBatch(db, [first, acceptable('m', 'e2')], { clock });
  await db.updateTable('lanes').set({ cursor: 1 }).execute();
  const twice = acceptable('m', 'e3');
  const results = await acceptBatch(
    db,
    [
      first,
      acceptable('m', 'e2', 'other bytes'),
      twice,
      twice,
      acceptable('m', 'e3', 'other again'),
      acceptable('x', 'e1'),
    ],
    { clock },
  );
  const day = new Date().toISOString().slice(0, 10);
  const lane = { cursor: 1, backlog: 2 };
  assert.equal(results, [
    { status: 'duplicate', mseq: 1, day, lane },
    { status: 'conflict' },
    { status: 'accepted', mseq: 3, day, lane },
    { status: 'duplicate', mseq: 3, day, lane },
    { status: 'conflict' },
    { status: 'accepted', mseq: 1, day, lane: { cursor: 0, backlog: 1 } },
  ]);
  assert.equal(await faultyMerchants(db), []);
});

test('ten concurrent acceptors with overlapping batches leave dense numbers, seen in order, whatever their clocks say', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const merchants = ['b', 'a', 'ä', 'Z', '商'];
  const pool = Array.from({ length: 300 }, (_, i) => acceptable(merchants[i % merchants.length] ?? 'a', `e${i}`));
  const acceptors = Array.from({ length: 10 }, async (_, n) => {
    const skewed = clockAt((n % 3) * DAY_MS);
    const outcomes: string[] = [];
    for (let start = 0; start < pool.length; start += 25) {
      // Each takes most of the pool, from another place and in another order of merchants.
      const slice = Array.from(
        { length: 30 },
        (_, i) => pool[(start + n * 31 + i * (n % 2 === 0 ? 1 : 7)) % pool.length],
      );
      const events = slice.flatMap((event) => (event === undefined ? [] : [event]));
      const results = await acceptBatch(db, events, { clock: skewed });
      outcomes.push(...results.map((result) => result.status));
    }
    return outcomes;
  });
  const stop = new AbortController();
  const gaps: string[] = [];
  const sightings = (async () => {
    let seen = 0;
    while (!stop.signal.aborted) {
      const { rows } = await sql<{ n: number; last: number }>`
        select count(*) as n, max(mseq) as last from inbox group by merchant_id
      `.execute(db);
      for (const { n, last } of rows) if (n !== last) gaps.push(`${n} of ${last}`);
      seen += 1;
    }
    return seen;
  })();
  await Promise.allSettled(acceptors);
  stop.abort();
  assert.ok((await sightings) > 0);
  assert.equal(gaps, [], 'a smaller number was not visible before a larger one');
  const outcomes = (await Promise.all(acceptors)).flat();
  assert.equal([...new Set(outcomes)].toSorted(), ['accepted', 'duplicate']);
  const offered = new Set(outcomes);
  assert.is(offered.has('conflict'), false);
  const { n } = await db
    .selectFrom('inbox')
    .select(sql<number>`count(*)`.as('n'))
    .executeTakeFirstOrThrow();
  assert.is(outcomes.filter((outcome) => outcome === 'accepted').length, n);
  assert.equal(await faultyMerchants(db), []);
  const { rows: stats } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(db);
  assert.is(stats[0]?.deadlocks, 0, 'all take the mailboxes in one order');

  // Proof that the check would have seen it.
  await sql`delete from inbox where merchant_id = 'ä' and mseq = 2`.execute(db);
  assert.equal(await faultyMerchants(db), ['ä']);
});

test('the day never falls when a later acceptor has an earlier clock', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await acceptBatch(db, [acceptable('m', 'e1')], { clock: clockAt(2 * DAY_MS) });
  await acceptBatch(db, [acceptable('m', 'e2')], { clock });
  const rows = await db.selectFrom('inbox').select(['mseq', 'day']).orderBy('mseq').execute();
  assert.is(rows[0]?.day, rows[1]?.day);
  assert.equal(await faultyMerchants(db), []);
});

test('a row that the database refuses is found by halving, and the others are accepted in order', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const events = Array.from({ length: 9 }, (_, i) => acceptable('m', `e${i}`));
  events.splice(3, 0, acceptable('m', 'zero\u0000byte'));
  events.splice(7, 0, acceptable('m', randomBytes(6_000).toString('hex')));
  const results = await acceptBatch(db, events, { clock });
  assert.equal(
    results.map((result) => ('mseq' in result ? result.mseq : result.status)),
    [1, 2, 3, 'rejected', 4, 5, 6, 'rejected', 7, 8, 9],
  );
  assert.equal(await faultyMerchants(db), []);
});

test('a missing day partition is made on the way, also of a mailbox whose day is ahead', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const [first] = await acceptBatch(db, [acceptable('m')], { clock: clockAt(60 * DAY_MS) });
  assert.is(first?.status, 'accepted');
  await sql`update mailbox set last_day = last_day + 30`.execute(db);
  const [second] = await acceptBatch(db, [acceptable('m')], { clock });
  assert.is(second?.status, 'accepted');
  await ensurePartitions(db, systemClock.now());
});

test('a failure of the store rejects, and loses and numbers nothing', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await acceptBatch(db, [acceptable('m', 'e1')], { clock });
  await sql`alter table inbox rename to inbox_away`.execute(db);
  let failed = false;
  await acceptBatch(db, [acceptable('m', 'e2')], { clock }).catch(() => (failed = true));
  await sql`alter table inbox_away rename to inbox`.execute(db);
  assert.ok(failed);
  const [again] = await acceptBatch(db, [acceptable('m', 'e2')], { clock });
  assert.is(again?.status === 'accepted' && again.mseq, 2);
  assert.equal(await faultyMerchants(db), []);
});

test('a merchant’s first event makes its lane, and later ones leave it as it is', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  await acceptBatch(db, [acceptable('m', 'e1'), acceptable('n', 'e1')], { clock });
  await db.updateTable('lanes').set({ cursor: 1, owner: 'somebody' }).where('merchant_id', '=', 'm').execute();
  await acceptBatch(db, [acceptable('m', 'e2')], { clock });
  const lanes = await db
    .selectFrom('lanes')
    .select(['merchant_id', 'cursor', 'owner'])
    .orderBy('merchant_id')
    .execute();
  assert.equal(lanes, [
    { merchant_id: 'm', cursor: 1, owner: 'somebody' },
    { merchant_id: 'n', cursor: 0, owner: null },
  ]);
});

test.run();
