import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { ensurePartitions } from '../core/database/migrate.ts';
import { type Clock, systemClock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { acceptable } from '../core/testing/acceptable.ts';
import { createDynamoTable } from '../core/testing/dynamo-table.ts';
import { type World, createWorld } from '../core/testing/world.ts';
import { createAdmission } from './admit.ts';
import { createDedupe } from './dedupe.ts';
import { createPurge } from './purge.ts';

const DAY_MS = 86_400_000;

/** Events were accepted 40 days ago with DynamoDB away, so that none has a mark. */
async function setUp(world: World) {
  const { db } = world.postgres;
  const dynamodb = connectDynamoDB();
  const table = `t${randomBytes(5).toString('hex')}`;
  await createDynamoTable(dynamodb, table);
  const time = { aheadMs: -40 * DAY_MS };
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + time.aheadMs };
  const memory = (name: string) => createDedupe({ dynamodb, table: name, clock, log: silentLog, dedupeDays: 90 });
  const dedupe = memory(table);
  const away = memory('no-such-table');
  await ensurePartitions(db, clock.now());
  const admit = (known = dedupe) => createAdmission({ db, dedupe: known, clock, purgeDays: 30 });
  await admit(away)([acceptable('m', 'e1'), acceptable('m', 'e2'), acceptable('n', 'e1')]);
  await away.flush();
  const day = await db.selectFrom('inbox').select('day').executeTakeFirstOrThrow();
  for (const [merchant, cursor] of [
    ['m', 2],
    ['n', 1],
  ] as const)
    await db.updateTable('lanes').set({ cursor, cursor_day: day.day }).where('merchant_id', '=', merchant).execute();
  time.aheadMs = 0;
  return {
    db,
    time,
    dedupe,
    away,
    day: day.day,
    admit,
    purge: (known = dedupe) => createPurge({ db, remember: known.remember, clock, log: silentLog, purgeDays: 30 }),
    accepted: async () =>
      (await db.selectFrom('accepted').select(['merchant_id', 'event_id']).execute())
        .map((row) => `${row.merchant_id} ${row.event_id}`)
        .toSorted(),
    days: async () =>
      (
        await sql<{ name: string }>`
          select relname as name from pg_class where relname ~ '^(inbox|settlements)_\\d{8}$' and relname like ${`%${day.day.replaceAll('-', '')}`} order by 1
        `.execute(db)
      ).rows.length,
    [Symbol.dispose]: () => dynamodb.destroy(),
  };
}

test('what Postgres forgets DynamoDB knows first, and what is settled goes with its day', async () => {
  await using world = await createWorld();
  using t = await setUp(world);
  // Without DynamoDB nothing is forgotten.
  let refused = false;
  await t
    .purge(t.away)
    .step()
    .catch(() => (refused = true));
  assert.ok(refused);
  assert.equal(await t.accepted(), ['m e1', 'm e2', 'n e1']);

  const step = await t.purge().step();
  assert.is(step.purged, 3);
  assert.ok(step.dropped.includes(t.day));
  assert.equal(await t.accepted(), []);
  assert.is(await t.days(), 0);
  const verdicts = await t.admit()([acceptable('m', 'e1'), acceptable('n', 'e1', 'other bytes')]);
  assert.equal(
    verdicts.map(({ status }) => status),
    ['forgotten', 'conflict'],
  );
  // What is young stays.
  await t.admit()([acceptable('m', 'e9')]);
  assert.equal((await t.purge().step()).purged, 0);
  assert.equal(await t.accepted(), ['m e9']);
});

test('nothing of an event that is unsettled is purged, nor its day dropped', async () => {
  await using world = await createWorld();
  using t = await setUp(world);
  const { db } = t;
  const event = { merchant_id: 'm', mseq: 2, day: t.day, event_id: 'e2', event_type: 'T' };
  const now = new Date();
  await db
    .insertInto('deliveries')
    .values({
      ...event,
      handler: 'h',
      state: 'parked',
      holds: 'aggregate',
      hold_key: 'k',
      created_at: now,
      updated_at: now,
    })
    .execute();
  await db.updateTable('lanes').set({ cursor: 0 }).where('merchant_id', '=', 'n').execute();
  const purge = t.purge();
  const kept = await purge.step();
  assert.is(kept.purged, 1);
  assert.not.ok(kept.dropped.includes(t.day));
  assert.equal(await t.accepted(), ['m e2', 'n e1']);
  assert.is(await t.days(), 2);

  // The guard of the drop itself, whatever a purge believes.
  const drop = async () =>
    (await sql<{ dropped: boolean }>`select drop_settled_day(${t.day}::date) as dropped`.execute(db)).rows[0]?.dropped;
  const moveTo = (cursor: number) => db.updateTable('lanes').set({ cursor }).where('merchant_id', '=', 'n').execute();
  await moveTo(1);
  assert.is(await drop(), false);
  await db.deleteFrom('deliveries').execute();
  await moveTo(0);
  assert.is(await drop(), false);
  await moveTo(1);
  await db
    .insertInto('redrives')
    .values({
      id: 'r',
      merchant_id: 'm',
      mseq: 1,
      day: t.day,
      handler: 'h',
      requested_by: 'x',
      reason: 'x',
      requested_at: now,
    })
    .execute();
  assert.is(await drop(), false);
  await db.deleteFrom('redrives').execute();
  const rest = await purge.step();
  assert.is(rest.purged, 2);
  assert.ok(rest.dropped.includes(t.day));
  assert.is(await t.days(), 0);
});

test('a day that is young, or busy, is not dropped', async () => {
  await using world = await createWorld();
  using t = await setUp(world);
  const { db } = t;
  const refusal = async (day: string): Promise<string> => {
    try {
      await sql`select drop_settled_day(${day}::date)`.execute(db);
      return 'dropped';
    } catch (error) {
      return String(error);
    }
  };
  assert.match(await refusal(new Date().toISOString().slice(0, 10)), /too young/);
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('inbox').select('mseq').where('merchant_id', '=', 'm').execute();
    assert.match(await refusal(t.day), /lock timeout/);
  });
  assert.is(await refusal(t.day), 'dropped');
});

test.run();
