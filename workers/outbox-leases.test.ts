import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createShardLeases } from './outbox-leases.ts';
import { type Part, markRefused, markSent, purgeOutbox, readHeads } from './outbox-rows.ts';
import { OUTBOX_SHARDS, appendOutbox } from '../core/database/outbox.ts';
import { shardOf } from '../core/runtime/ids.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { type World, createWorld } from '../core/testing/world.ts';

const nothing: ReadonlySet<number> = new Set();
const leases = (world: World, owner: string, leaseMs = 60_000) =>
  createShardLeases({ db: world.postgres.db, owner, worker: owner, leaseMs });

const append = (world: World, merchants: readonly string[], nowMs = 0) =>
  world.postgres.db.transaction().execute((trx) =>
    appendOutbox(
      trx,
      merchants.map((merchantId, n) => ({
        eventId: `e${n}`,
        eventType: 'T',
        merchantId,
        destination: 'queue:Q',
        attributes: {},
        body: Buffer.from(`${n}`),
        stream: 'events' as const,
        deduplicationId: `e${n}`,
      })),
      nowMs,
    ),
  );

const parts = (): Part[] =>
  Array.from({ length: OUTBOX_SHARDS }, (_, shard) => ({ shard, stream: 'events' as const, after: '' }));
const read = async (world: World, from = parts(), busy: string[] = [], headsPerPart = 10) =>
  (await readHeads(world.postgres.db, from, busy, { headsPerPart, bytes: 1_000_000 })).heads;

test('a relay that comes second gets its share once the first has nothing under way there', async () => {
  await using world = await createWorld();
  const a = leases(world, 'a');
  const b = leases(world, 'b');
  await a.tend(nothing);
  assert.is(a.shards().length, 16);
  await b.tend(nothing);
  assert.is(b.shards().length, 0);
  await a.tend(new Set([15]));
  assert.equal(a.shards(), [0, 1, 2, 3, 4, 5, 6, 7]);
  await b.tend(nothing);
  assert.equal(b.shards(), [8, 9, 10, 11, 12, 13, 14]);
  await a.tend(nothing);
  await b.tend(nothing);
  assert.equal(b.shards(), [8, 9, 10, 11, 12, 13, 14, 15]);
});

test('shards of a relay that died are taken when its lease has passed, not before', async () => {
  await using world = await createWorld();
  const dead = leases(world, 'dead', 400);
  const heir = leases(world, 'heir');
  await dead.tend(nothing);
  await heir.tend(nothing);
  assert.is(heir.shards().length, 0);
  await waitFor('the shards', async () => {
    await heir.tend(nothing);
    return heir.shards().length === 16;
  });
  assert.equal(dead.shards(), []);
});

test('a relay whose shard was taken over marks nothing any more', async () => {
  await using world = await createWorld();
  await append(world, ['m']);
  const old = leases(world, 'old', 1);
  await old.tend(nothing);
  const [head] = await read(world);
  assert.ok(head);
  const next = leases(world, 'next');
  await waitFor('the shards', async () => {
    await next.tend(nothing);
    return next.shards().length === 16;
  });
  await markSent(world.postgres.db, 'old', [head]);
  await markRefused(world.postgres.db, 'old', [{ head, error: 'late', retryInMs: undefined }]);
  assert.is((await read(world)).length, 1);
  await markSent(world.postgres.db, 'next', [head]);
  assert.is((await read(world)).length, 0);
});

test('a refusal is recorded whatever its text holds', async () => {
  await using world = await createWorld();
  await append(world, ['m']);
  const own = leases(world, 'own');
  await own.tend(nothing);
  const [head] = await read(world);
  assert.ok(head);
  await markRefused(world.postgres.db, 'own', [{ head, error: 'said \0 and stopped', retryInMs: undefined }]);
  const { state, last_error } = await world.postgres.db.selectFrom('outbox').selectAll().executeTakeFirstOrThrow();
  assert.equal([state, last_error], ['unsendable', 'said  and stopped']);
});

test('only heads are read, those behind a busy destination or a wait not at all, and every merchant has its turn', async () => {
  await using world = await createWorld();
  const inOneShard = Array.from({ length: 400 }, (_, n) => `m${n}`).filter((m) => shardOf(m, OUTBOX_SHARDS) === 3);
  const five = inOneShard.slice(0, 5).toSorted();
  await append(world, [...five, ...five]);
  const all = await read(world);
  assert.equal(
    all.map((head) => [head.merchantId, head.seq]),
    five.map((m) => [m, 1]),
  );
  assert.equal(await read(world, parts(), ['queue:Q']), []);

  await world.postgres.db
    .updateTable('outbox')
    .set({ not_before: new Date(Date.now() + 3_600_000) })
    .where('merchant_id', '=', five[0] ?? '')
    .where('seq', '=', 1)
    .execute();
  assert.equal(
    (await read(world)).map((head) => head.merchantId),
    five.slice(1),
  );

  const moving = parts();
  const turns: string[][] = [];
  for (let turn = 0; turn < 3; turn++) turns.push((await read(world, moving, [], 2)).map((head) => head.merchantId));
  assert.equal(
    turns.map((turn) => turn.length),
    [1, 2, 1],
  );
  assert.equal(turns.flat(), five.slice(1));
});

test('sent rows are purged after a week, a bounded number at a time; what was not sent stays', async () => {
  await using world = await createWorld();
  await append(world, ['a', 'b', 'c', 'd', 'e']);
  const { db } = world.postgres;
  const day = 86_400_000;
  const now = Date.UTC(2026, 10, 23);
  await sql`update outbox set state = 'sent', sent_at = ${new Date(now - 8 * day)} where merchant_id in ('a', 'b', 'c')`.execute(
    db,
  );
  await sql`update outbox set state = 'sent', sent_at = ${new Date(now - 6 * day)} where merchant_id = 'd'`.execute(db);
  assert.is(await purgeOutbox(db, now, 2), 2);
  assert.is(await purgeOutbox(db, now, 2), 1);
  assert.is(await purgeOutbox(db, now, 2), 0);
  const left = await db.selectFrom('outbox').select('merchant_id').orderBy('merchant_id').execute();
  assert.equal(
    left.map((r) => r.merchant_id),
    ['d', 'e'],
  );
});

test.run();
