import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isAlive } from './child-process.ts';
import { type RedisOptions, startRedis } from './redis.ts';

function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-redis-'));
  return {
    dir,
    start: (more: Partial<RedisOptions> = {}) => startRedis({ dir, ...more }),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

test('a full server refuses writes instead of evicting, and listens on loopback only', async () => {
  using world = setup();
  const server = await world.start({ maxMemoryMb: 64 });
  const settings = await ask(server.url, (redis) => redis.config('GET', 'maxmemory*', 'bind', 'appendonly', 'save'));
  const value = (name: string) => (Array.isArray(settings) ? settings[settings.indexOf(name) + 1] : undefined);
  assert.is(value('maxmemory-policy'), 'noeviction');
  assert.is(value('maxmemory'), String(64 * 1024 * 1024));
  assert.equal([value('bind'), value('appendonly'), value('save')], ['127.0.0.1', 'no', '']);
  await server.stop();
  assert.not(isAlive(server.pid));
});

test('with an append-only file data survives kill -9', async () => {
  using world = setup();
  const first = await world.start({ appendOnly: true });
  // Written to the file before the answer; the second of everysec is about power loss.
  await ask(first.url, (redis) => redis.set('k', 'v'));
  process.kill(first.pid, 'SIGKILL');
  await first.stop();
  const second = await world.start({ appendOnly: true });
  assert.is(await ask(second.url, (redis) => redis.get('k')), 'v');
  await second.stop();
});

test('a server that a killed parent left running is stopped by the next start', async () => {
  using world = setup();
  const leftover = await world.start({ appendOnly: true });
  const lines: string[] = [];
  const next = await world.start({ appendOnly: true, onLog: (line) => void lines.push(line) });
  assert.not(isAlive(leftover.pid));
  assert.equal(lines, [`stopping Redis (${leftover.pid}), left running by an earlier run`]);
  await next.stop();
});

test('a note about a process that is something else stops nothing', async () => {
  using world = setup();
  const other = await startRedis({ dir: join(world.dir, 'other') });
  // As if the id had been given to this test meanwhile, and the port to another server.
  writeFileSync(join(world.dir, 'running.json'), JSON.stringify({ pid: process.pid, port: other.port }));
  const server = await world.start();
  assert.ok(isAlive(other.pid));
  await server.stop();
  await other.stop();
});

test.run();
