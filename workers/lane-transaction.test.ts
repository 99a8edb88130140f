import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { inLaneTransaction } from './lane-transaction.ts';

setFlagsFromString('--expose-gc');
// The flag names what the new context then has.
const collectGarbage = runInNewContext('gc') as () => void;

test('a transaction leaves nothing in memory, however long the signal lives that can stop it', async () => {
  await using world = await createWorld();
  const stop = new AbortController();
  const signals: WeakRef<AbortSignal>[] = [];
  for (let n = 0; n < 10; n++)
    await inLaneTransaction(world.postgres.pool, 5_000, stop.signal, async (trx, signal) => {
      signals.push(new WeakRef(signal));
      await sql`select 1`.execute(trx);
    });
  // A WeakRef holds its target until the turn in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  const alive = signals.filter((signal) => signal.deref() !== undefined).length;
  // The last one may still be on a stack that nobody has overwritten.
  assert.ok(alive <= 1, `${alive} of 10 are still there`);
});

test('a stop that comes while a connection is waited for ends the transaction before it begins', async () => {
  await using world = await createWorld();
  const { pool } = world.postgres;
  const stop = new AbortController();
  const held = await Promise.all(Array.from({ length: pool.options.max ?? 0 }, () => pool.connect()));
  let began = false;
  const refused = inLaneTransaction(pool, 60_000, stop.signal, () => {
    began = true;
    return Promise.resolve();
  }).catch((reason: unknown) => reason);
  stop.abort(new Error('shutdown'));
  for (const client of held) client.release();
  assert.equal([String(await refused), began], ['Error: shutdown', false]);
  assert.is(pool.idleCount, held.length, 'the connection is given back');
});

test('a statement ends soon after the deadline has taken its connection away, and so do the locks of its transaction', async () => {
  await using world = await createWorld();
  const { db, pool } = world.postgres;
  await sql`create table t (n integer primary key)`.execute(db);
  await sql`insert into t values (1)`.execute(db);
  const ended = inLaneTransaction(pool, 200, new AbortController().signal, async (trx) => {
    await sql`set local statement_timeout = 0`.execute(trx);
    await sql`select from t for update`.execute(trx);
    await sql`select pg_sleep(600)`.execute(trx);
  }).catch((error: unknown) => error);
  assert.match(String(await ended), /not finished within 200 ms/);
  await waitFor('the row to be free', async () => {
    const { rows } = await sql`select from t for update skip locked`.execute(db);
    return rows.length === 1;
  });
});

test.run();
