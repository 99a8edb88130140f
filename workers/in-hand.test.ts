import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createInHand } from './in-hand.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { inHandKey } from '../core/runtime/queue-names.ts';
import { silentLog } from '../core/runtime/log.ts';
import { captureLog } from '../core/testing/captured-log.ts';
import { unusedPrefix } from '../core/testing/world.ts';

test('what was in hand is answered once, to whoever comes next, and does not stay for ever', async () => {
  const { redisUrl, stack: prefix } = unusedPrefix();
  using stack = new DisposableStack();
  const redis = stack.adopt(connectRedis(redisUrl, 'test'), (connection) => connection.disconnect());
  const inHand = createInHand({ redis, prefix, log: silentLog });
  assert.is(await inHand.take('a:{b}'), undefined);
  await inHand.note('a:{b}', { mseq: 6, handler: 'first' });
  await inHand.note('a:{b}', { mseq: 7, handler: 'second' });
  assert.ok((await redis.pttl(inHandKey(prefix, 'a:{b}'))) > 60_000);
  const next = createInHand({ redis, prefix, log: silentLog });
  assert.equal(await next.take('a:{b}'), { mseq: 7, handler: 'second' });
  assert.is(await next.take('a:{b}'), undefined);
  await inHand.note('a:{b}', { mseq: 8, handler: 'first' });
  await inHand.clear('a:{b}');
  assert.is(await inHand.take('a:{b}'), undefined);
  await redis.set(inHandKey(prefix, 'a:{b}'), 'of another release');
  assert.is(await inHand.take('a:{b}'), undefined, 'what cannot be read holds no lane up');
});

test('a Redis that takes no notes holds no lane up, and is told of once', async () => {
  const { redisUrl, stack: prefix } = unusedPrefix();
  const { log, lines } = captureLog();
  const away = connectRedis(redisUrl, 'test');
  away.disconnect();
  const inHand = createInHand({ redis: away, prefix, log });
  await inHand.note('m', { mseq: 1, handler: 'h' });
  assert.is(await inHand.take('m'), undefined);
  await inHand.clear('m');
  assert.is(lines.length, 1);
});

test.run();
