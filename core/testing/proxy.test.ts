import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from './wait-for.ts';
import { startProxy } from './proxy.ts';

/** An echo server behind a proxy. */
async function setup() {
  const echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const proxy = await startProxy((echo.address() as AddressInfo).port);
  const connect = async () => {
    const socket = createConnection({ host: '127.0.0.1', port: proxy.port });
    const seen = { text: '', ended: false };
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => (seen.text += text));
    socket.on('error', () => undefined);
    socket.on('close', () => (seen.ended = true));
    // One that is refused may be reset before it knows that it was connected.
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined);
    return { seen, say: (text: string) => socket.write(text), end: () => socket.destroy() };
  };
  return {
    proxy,
    connect,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      echo.close();
      await once(echo, 'close');
    },
  };
}

test('what passes arrives whole and in order, and a cut ends the connections that are open, not those that come', async () => {
  await using at = await setup();
  const before = await at.connect();
  before.say('one');
  before.say('two');
  await waitFor('the echo', () => before.seen.text === 'onetwo');
  assert.is(at.proxy.cut(), 1);
  await waitFor('the end', () => before.seen.ended);
  const after = await at.connect();
  after.say('three');
  await waitFor('the echo', () => after.seen.text === 'three');
  after.end();
});

test('while it refuses, open connections end and new ones are reset; afterwards they go through', async () => {
  await using at = await setup();
  const open = await at.connect();
  open.say('x');
  await waitFor('the echo', () => open.seen.text === 'x');
  at.proxy.setMode({ kind: 'refuse' });
  await waitFor('the end', () => open.seen.ended);
  const refused = await at.connect();
  await waitFor('the reset', () => refused.seen.ended);
  at.proxy.setMode({ kind: 'pass' });
  const welcome = await at.connect();
  welcome.say('y');
  await waitFor('the echo', () => welcome.seen.text === 'y');
  welcome.end();
});

test('what hangs arrives after all when the mode changes, with nothing lost in between', async () => {
  await using at = await setup();
  const open = await at.connect();
  at.proxy.setMode({ kind: 'hang' });
  open.say('held');
  const other = await at.connect();
  other.say('held too');
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(open.seen.text, '');
  at.proxy.setMode({ kind: 'pass' });
  await waitFor('both', () => open.seen.text === 'held' && other.seen.text === 'held too');
  open.end();
  other.end();
});

test('slow pieces keep their order, and a throttle lets only so much through', async () => {
  await using at = await setup();
  const open = await at.connect();
  at.proxy.setMode({ kind: 'slow', delayMs: 30 });
  for (const text of ['a', 'b', 'c']) open.say(text);
  await waitFor('the echo', () => open.seen.text === 'abc');
  at.proxy.setMode({ kind: 'throttle', bytesPerSecond: 1 });
  open.say('d'.repeat(1_000));
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(open.seen.text, 'abc');
  at.proxy.setMode({ kind: 'pass' });
  await waitFor('the rest', () => open.seen.text.length === 1_003);
  open.end();
});

test.run();
