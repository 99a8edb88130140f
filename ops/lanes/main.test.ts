import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seedInbox } from '../../core/testing/engine.ts';
import { createWorld } from '../../core/testing/world.ts';
import { freePort } from '../local/free-port.ts';

async function setUp() {
  const world = await createWorld();
  const url = new URL(world.postgresUrl);
  url.searchParams.set('options', '-c role=laneway_operator');
  await seedInbox(world.postgres.db, [{ merchantId: 'shop 1', eventType: 'TestEvent', payload: { n: 1 } }]);
  return {
    async run(args: readonly string[], env: Record<string, string> = {}) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          LANEWAY_STACK: world.stack,
          LANEWAY_POSTGRES_URL: url.toString(),
          LANEWAY_REDIS_URL: world.redisUrl,
          ...env,
        },
      });
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      return { code: child.exitCode, stdout, stderr };
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

test('commands answer in JSON alone, say with their exit code whose fault it was, and need no Redis', async () => {
  await using system = await setUp();
  const paused = await system.run(['pause', 'shop 1', '--reason', 'audit', '--by', 'ada', '--json']);
  assert.equal([paused.code, paused.stderr], [0, '']);
  const { changed, after } = JSON.parse(paused.stdout);
  assert.equal([changed, after.state, after.reason, after.by], [true, 'paused', 'audit', 'ada']);

  const listed = await system.run(['list', '--state', 'paused']);
  assert.match(listed.stdout, /^shop 1 {2}paused {2}1 behind.*audit \(ada/);

  for (const [args, complaint] of [
    [['unblock', 'shop 1'], 'paused, not blocked'],
    [['list', '--state', 'lost'], 'usage: npm run lanes'],
  ] as const) {
    const { code, stdout, stderr } = await system.run(args);
    assert.equal([code, stdout], [2, ''], stderr);
    assert.match(stderr, complaint);
  }

  const away = { LANEWAY_REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
  const resumed = await system.run(['resume', 'shop 1', '--json'], away);
  assert.equal([resumed.code, resumed.stderr], [0, '']);
  const resumption = JSON.parse(resumed.stdout);
  assert.equal([resumption.changed, resumption.woken], [true, false]);
  const explained = await system.run(['explain', 'shop 1', '--json'], away);
  assert.is(JSON.parse(explained.stdout).kind, 'redis-lost');

  const nowhere = `postgresql://x@127.0.0.1:${await freePort()}/x`;
  const failed = await system.run(['explain', 'shop 1'], { LANEWAY_POSTGRES_URL: nowhere });
  assert.equal([failed.code, failed.stdout], [1, '']);
  assert.match(failed.stderr, /ECONNREFUSED/);
});

test.run();
