import { once } from 'node:events';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { callAdNetwork } from './http.ts';
import { LanewayError } from '../../runtime/errors.ts';

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is of this kind.
  const { port } = server.address() as AddressInfo;
  return {
    network: { baseUrl: `http://127.0.0.1:${port}`, token: 'secret' },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const change = { idempotencyKey: 'key-1', body: { status: 'ACTIVE' } };
const signal = () => new AbortController().signal;

async function failureOf(call: Promise<unknown>): Promise<LanewayError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof LanewayError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

const answering = (status: number, headers: Record<string, string> = {}) =>
  serve((_, response) => response.writeHead(status, headers).end('{"error":{"code":"x","message":"said"}}'));

test('each status says whether a write was refused, was not carried out, or may have been', async () => {
  const expected = [
    [400, 'effect.rejected', 'never'],
    [401, 'effect.rejected', 'never'],
    [403, 'effect.rejected', 'never'],
    [404, 'effect.rejected', 'never'],
    [422, 'effect.rejected', 'never'],
    [429, 'effect.limited', 'backoff'],
    [503, 'effect.unavailable', 'backoff'],
    [500, 'effect.outcome_unknown', 'backoff'],
    [502, 'effect.outcome_unknown', 'backoff'],
    [504, 'effect.outcome_unknown', 'backoff'],
  ] as const;
  for (const [status, code, retry] of expected) {
    await using server = await answering(status);
    const error = await failureOf(callAdNetwork(server.network, 'PATCH', '/c', signal(), change));
    assert.equal([status, error.code, error.retry], [status, code, retry]);
    assert.match(error.message, `${status}`);
    assert.is(error.message.includes('check the token'), status === 401 || status === 403);
  }
});

test('a network that asks for time is given it', async () => {
  await using server = await answering(429, { 'retry-after': '7' });
  const error = await failureOf(callAdNetwork(server.network, 'POST', '/c', signal(), change));
  assert.equal(error.detail, { retryAfterMs: 7_000 });
});

test('a failed read is never unknown: it changed nothing', async () => {
  await using broken = await answering(500);
  assert.is((await failureOf(callAdNetwork(broken.network, 'GET', '/c', signal()))).code, 'effect.unavailable');
  await using garbled = await serve((_, response) => response.end('<html>'));
  assert.is((await failureOf(callAdNetwork(garbled.network, 'GET', '/c', signal()))).code, 'effect.unavailable');
});

test('a connection that was never made is not a call; one that broke may have been', async () => {
  const gone = await serve(() => undefined);
  await gone[Symbol.asyncDispose]();
  const refused = await failureOf(callAdNetwork(gone.network, 'POST', '/c', signal(), change));
  assert.is(refused.code, 'effect.unavailable');

  await using resets = await serve((request) => void request.socket.destroy());
  const reset = await failureOf(callAdNetwork(resets.network, 'POST', '/c', signal(), change));
  assert.is(reset.code, 'effect.outcome_unknown');
});

test('a call that is given up at its deadline may have been carried out', async () => {
  const deadline = new AbortController();
  await using hangs = await serve(() => deadline.abort());
  const error = await failureOf(callAdNetwork(hangs.network, 'POST', '/c', deadline.signal, change));
  assert.is(error.code, 'effect.outcome_unknown');
});

test('an answer without end is not read to its end', async () => {
  await using floods = await serve((_, response) => {
    const chunk = Buffer.alloc(64_000, ' ');
    const more = () => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  const error = await failureOf(callAdNetwork(floods.network, 'POST', '/c', signal(), change));
  assert.is(error.code, 'effect.outcome_unknown');
  assert.match(error.message, '1000000 bytes');
});

test('calls carry the token, changes their idempotency key, and no redirect takes either elsewhere', async () => {
  const seen: Record<string, unknown>[] = [];
  await using server = await serve(({ method, headers }, response) => {
    seen.push({ method, authorization: headers.authorization, key: headers['idempotency-key'] });
    response.end('{"id":"1"}');
  });
  assert.equal(await callAdNetwork(server.network, 'POST', '/c', signal(), change), { id: '1' });
  await callAdNetwork(server.network, 'GET', '/c', signal());
  assert.equal(seen, [
    { method: 'POST', authorization: 'Bearer secret', key: 'key-1' },
    { method: 'GET', authorization: 'Bearer secret', key: undefined },
  ]);
  await using elsewhere = await serve((_, response) =>
    response.writeHead(307, { location: server.network.baseUrl }).end(),
  );
  await failureOf(callAdNetwork(elsewhere.network, 'POST', '/c', signal(), change));
  assert.is(seen.length, 2);
});

test.run();
