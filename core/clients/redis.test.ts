import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectRedis } from './redis.ts';
import { startProxy } from '../testing/proxy.ts';
import { waitFor } from '../testing/wait-for.ts';
import { createWorld } from '../testing/world.ts';
import { startRedis } from '../../ops/local/redis.ts';

test('a connection on which no answer comes is given up, and its command is answered on another', async () => {
  await using world = await createWorld();
  const url = new URL(world.redisUrl);
  await using proxy = await startProxy(Number(url.port));
  url.port = String(proxy.port);
  const redis = connectRedis(url.toString(), 'test', 200);
  try {
    assert.is(await redis.ping(), 'PONG');
    let givenUp = 0;
    redis.on('close', () => (givenUp += 1));
    proxy.setMode({ kind: 'hang' });
    const answer = redis.incr(`${world.stack}:counted`);
    await waitFor('the connection to be given up', () => givenUp > 0);
    proxy.setMode({ kind: 'pass' });
    assert.is(await answer, 1);
  } finally {
    redis.disconnect();
  }
});

test('a connection to a primary that was demoted is given up for another, on which the command is sent again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-demoted-'));
  const server = await startRedis({ dir });
  const redis = connectRedis(server.url, 'test');
  redis.defineCommand('countIn', { numberOfKeys: 1, lua: "return redis.call('INCR', KEYS[1])" });
  // The method is there once it is defined; the cast names it.
  const scripted = redis as typeof redis & { countIn(key: string): Promise<number> };
  const operator = connectRedis(server.url, 'operator');
  try {
    await redis.ping();
    let givenUp = 0;
    redis.on('close', () => (givenUp += 1));
    await operator.replicaof('127.0.0.1', 1);
    const answers = Promise.allSettled([redis.incr('counted'), scripted.countIn('scripted')]);
    await waitFor('the connection to be given up', () => givenUp > 0);
    await operator.replicaof('NO', 'ONE');
    assert.equal(
      await answers,
      [1, 1].map((value) => ({ status: 'fulfilled', value })),
    );
  } finally {
    redis.disconnect();
    operator.disconnect();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
