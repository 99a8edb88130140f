import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isAlive } from './child-process.ts';
import { type PostgresOptions, startPostgres } from './postgres.ts';

const password = 'pass word/@';

/** One data folder for the tests that only start servers on it: making one takes longer than all else here. */
const common = setup();
test.after(() => common[Symbol.dispose]());

function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-postgres-'));
  chmodSync(dir, 0o755);
  const dataDir = join(dir, 'data');
  return {
    dir,
    dataDir,
    start: (more: Partial<PostgresOptions> = {}) => startPostgres({ dataDir, password, durable: false, ...more }),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : '');

async function query(server: Awaited<ReturnType<typeof startPostgres>>, sql: string, secret = password) {
  const client = new Client({ connectionString: server.url('postgres', secret, 'postgres') });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('data, password and port hold from one start to the next, and text sorts by bytes', async () => {
  const world = common;
  const first = await world.start();
  await query(first, `create table words as select * from unnest(array['b', 'B', 'a', 'é', '_']) as x`);
  const settings = `select current_setting('server_version_num')::int / 10000 as major,
    current_setting('max_connections') as connections, current_setting('listen_addresses') as address`;
  assert.equal(await query(first, settings), [{ major: 18, connections: '200', address: '127.0.0.1' }]);
  await first.stop();
  assert.not(isAlive(first.pid));
  const second = await world.start({ port: first.port });
  assert.is(second.port, first.port);
  assert.equal(
    (await query(second, 'select x from words order by x')).map(({ x }) => x),
    ['B', '_', 'a', 'b', 'é'],
  );
  assert.is(
    await query(second, 'select 1', 'wrong').catch(messageOf),
    'password authentication failed for user "postgres"',
  );
  await second.stop();
});

test('stopping does not wait for clients, and what they committed is kept without fsync too', async () => {
  const world = common;
  const server = await world.start();
  const idle = new Client({ connectionString: server.url('postgres', password, 'postgres') });
  idle.on('error', () => {});
  await idle.connect();
  await idle.query('create table kept (x int)');
  await server.stop();
  const again = await world.start();
  assert.equal(await query(again, 'select count(*)::int as n from kept'), [{ n: 0 }]);
  await again.stop();
  await idle.end();
});

test('a server that a killed parent left running is stopped by the next start', async () => {
  const world = common;
  const leftover = await world.start();
  await query(leftover, 'create table left_over (x int)');
  const lines: string[] = [];
  const next = await world.start({ onLog: (line) => void lines.push(line) });
  assert.not(isAlive(leftover.pid));
  assert.match(lines.join('\n'), `stopping PostgreSQL (${leftover.pid})`);
  assert.equal(await query(next, 'select * from left_over'), []);
  await next.stop();
});

test('a pid file whose process is something else is not in the way, and that process is left alone', async () => {
  const world = common;
  const server = await world.start();
  const pidFile = join(world.dataDir, 'postmaster.pid');
  const content = readFileSync(pidFile, 'utf8');
  await server.stop();
  // As after a crash of the machine: the id now belongs to this test.
  writeFileSync(pidFile, content.replace(/^\d+/, String(process.pid)));
  const next = await world.start();
  assert.equal(await query(next, 'select 1 as one'), [{ one: 1 }]);
  await next.stop();
});

test('an initdb that was interrupted is started over', async () => {
  using world = setup();
  mkdirSync(`${world.dataDir}.unfinished`);
  writeFileSync(join(`${world.dataDir}.unfinished`, 'PG_VERSION'), '18\n');
  const server = await world.start();
  assert.equal(await query(server, 'select 1 as one'), [{ one: 1 }]);
  await server.stop();
});

test('data of another major version is refused by name', async () => {
  using world = setup();
  mkdirSync(world.dataDir);
  writeFileSync(join(world.dataDir, 'PG_VERSION'), '16\n');
  const message = await world.start().catch(messageOf);
  assert.match(typeof message === 'string' ? message : '', 'was written by PostgreSQL 16, this is 18');
});

if (process.getuid?.() === 0) {
  test('a folder that the server may not enter is named before anything is started', async () => {
    using world = setup();
    chmodSync(world.dir, 0o700);
    const message = await world.start().catch(messageOf);
    assert.match(typeof message === 'string' ? message : '', `may not enter ${world.dir} (mode 0700)`);
  });
}

test('an exit that nobody asked for is reported', async () => {
  const world = common;
  const reported = Promise.withResolvers<string>();
  const server = await world.start({ onUnexpectedExit: reported.resolve });
  process.kill(server.pid, 'SIGKILL');
  assert.match(await reported.promise, 'PostgreSQL is gone');
  const next = await world.start();
  await next.stop();
});

test.run();
