import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectPostgres } from './postgres.ts';
import { isInfrastructureError, isServerAway } from '../runtime/errors.ts';
import { startProxy } from '../testing/proxy.ts';
import { waitFor } from '../testing/wait-for.ts';
import { createWorld } from '../testing/world.ts';

const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error;
  }
};

test('a Postgres that hangs without a word fails queries and transactions as a server that is away, keeps no connection, and can be left', async () => {
  await using world = await createWorld();
  const url = new URL(world.postgresUrl);
  await using proxy = await startProxy(Number(url.port));
  url.port = String(proxy.port);
  const postgres = connectPostgres({
    url: url.toString(),
    poolSize: 2,
    applicationName: 'test',
    statementTimeoutMs: 300,
    answerTimeoutMs: 400,
    idleInTransactionTimeoutMs: 1_000,
  });
  const { db } = postgres;
  await sql`create table t (n integer primary key)`.execute(db);
  let begun = () => undefined as void;
  const inTransaction = new Promise<void>((resolve) => (begun = resolve));
  const goOn = Promise.withResolvers<void>();
  const transaction = failureOf(
    db.transaction().execute(async (trx) => {
      await sql`insert into t values (1)`.execute(trx);
      begun();
      await goOn.promise;
      await sql`insert into t values (2)`.execute(trx);
    }),
  );
  await inTransaction;
  // Another connection, that is there already when no answer comes any more.
  await sql`select 1`.execute(db);
  proxy.setMode({ kind: 'hang' });
  goOn.resolve();
  const failures = await Promise.all([transaction, failureOf(sql`select 1`.execute(db))]);
  for (const failure of failures) {
    assert.ok(isInfrastructureError(failure), String(failure));
    assert.ok(isServerAway(failure), String(failure));
  }
  // Whoever got one of them next would wait behind a question that nobody answers. Idle ones go by themselves after 10 s.
  await waitFor('the pool to keep none of its connections', () => postgres.pool.totalCount === 0, { timeoutMs: 5_000 });
  proxy.setMode({ kind: 'pass' });
  const { rows } = await sql<{ n: number }>`select n from t`.execute(db);
  assert.equal(rows, []);

  proxy.setMode({ kind: 'hang' });
  await postgres.close();
  await waitFor('every connection to be gone', () => proxy.cut() === 0);
});

test('a connection to a server that takes no writes any more is not lent again', async () => {
  await using world = await createWorld();
  const postgres = connectPostgres({
    url: world.postgresUrl,
    poolSize: 1,
    applicationName: 'test',
    statementTimeoutMs: 10_000,
    idleInTransactionTimeoutMs: 10_000,
  });
  const { db } = postgres;
  await sql`create table t (n integer primary key)`.execute(db);
  // What a failover leaves: a connection that lives, at a server that only answers reads.
  const demote = () => sql`set default_transaction_read_only = on`.execute(db);
  const add = (n: number) => sql`insert into t values (${n})`.execute(db);
  await demote();
  assert.match(String(await failureOf(add(1))), /read-only transaction/);
  await add(2);
  await demote();
  const inTransaction = db.transaction().execute(async (trx) => {
    await sql`insert into t values (3)`.execute(trx);
  });
  assert.ok(isInfrastructureError(await failureOf(inTransaction)));
  await add(4);
  const { rows } = await sql<{ n: number }>`select n from t order by n`.execute(db);
  assert.equal(rows, [{ n: 2 }, { n: 4 }]);
  await postgres.close();
});

test('a pool whose connections were used without the query builder ends with them', async () => {
  await using world = await createWorld();
  const postgres = connectPostgres({
    url: world.postgresUrl,
    poolSize: 2,
    applicationName: 'test',
    statementTimeoutMs: 10_000,
    idleInTransactionTimeoutMs: 10_000,
  });
  await postgres.pool.query('select 1');
  await postgres.close();
  assert.equal([postgres.pool.ended, postgres.pool.totalCount], [true, 0]);
});

test.run();
