import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectRedis } from './redis.ts';
import { startProxy } from '../testing/proxy.ts';
import { waitFor } from '../testing/wait-for.ts';
import { createWorld } from '../testing/world.ts';

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

test.run();
