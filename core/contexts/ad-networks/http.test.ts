import { once } from 'node:events';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { refreshedToken, withToken } from './access-tokens.ts';
import { byStatus, callNetwork } from './http.ts';
import { LanewayError } from '../../runtime/errors.ts';

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is of this kind.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const signal = () => new AbortController().signal;
const call = (url: string, write: boolean, until = signal()) =>
  callNetwork(
    { method: write ? 'POST' : 'GET', url, headers: {}, write, ...(write ? { body: {} } : {}) },
    until,
    (answer) => (answer.status < 400 ? undefined : byStatus(answer)),
  );

async function failureOf(work: Promise<unknown>): Promise<LanewayError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof LanewayError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

const answering = (status: number, headers: Record<string, string> = {}) =>
  serve((_, response) => response.writeHead(status, headers).end('{"error":"said"}'));

test('each status says whether a write was refused, was not carried out, or may have been', async () => {
  const expected = [
    [400, 'effect.rejected', 'never'],
    [401, 'effect.unauthorized', 'backoff'],
    [403, 'effect.rejected', 'never'],
    [404, 'effect.rejected', 'never'],
    [429, 'effect.limited', 'backoff'],
    [503, 'effect.unavailable', 'backoff'],
    [500, 'effect.outcome_unknown', 'backoff'],
    [502, 'effect.outcome_unknown', 'backoff'],
    [504, 'effect.outcome_unknown', 'backoff'],
  ] as const;
  for (const [status, code, retry] of expected) {
    await using server = await answering(status);
    const error = await failureOf(call(server.url, true));
    assert.equal([status, error.code, error.retry], [status, code, retry]);
    assert.match(error.message, `${status}`);
  }
});

test('a network that asks for time is given it', async () => {
  await using server = await answering(429, { 'retry-after': '7' });
  assert.equal((await failureOf(call(server.url, true))).detail, { retryAfterMs: 7_000 });
});

test('a failed read is never unknown: it changed nothing', async () => {
  await using broken = await answering(500);
  assert.is((await failureOf(call(broken.url, false))).code, 'effect.unavailable');
  await using garbled = await serve((_, response) => response.end('<html>'));
  assert.is((await failureOf(call(garbled.url, false))).code, 'effect.unavailable');
  assert.is((await failureOf(call(garbled.url, true))).code, 'effect.outcome_unknown');
});

test('a connection that was never made is not a call; one that broke may have been', async () => {
  const gone = await serve(() => undefined);
  await gone[Symbol.asyncDispose]();
  assert.is((await failureOf(call(gone.url, true))).code, 'effect.unavailable');
  await using resets = await serve((request) => void request.socket.destroy());
  assert.is((await failureOf(call(resets.url, true))).code, 'effect.outcome_unknown');
});

test('a call that is given up at its deadline may have been carried out', async () => {
  const deadline = new AbortController();
  await using hangs = await serve(() => deadline.abort());
  assert.is((await failureOf(call(hangs.url, true, deadline.signal))).code, 'effect.outcome_unknown');
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
  const error = await failureOf(call(floods.url, true));
  assert.is(error.code, 'effect.outcome_unknown');
  assert.match(error.message, '1000000 bytes');
});

test('no redirect takes a token elsewhere', async () => {
  let reached = 0;
  await using server = await serve((_, response) => {
    reached += 1;
    response.end('{}');
  });
  await using elsewhere = await serve((_, response) => response.writeHead(307, { location: server.url }).end());
  await failureOf(call(elsewhere.url, true));
  assert.is(reached, 0);
});

test('a token is asked for once by calls at once, again when it is refused or expires, and a refused call is made again once', async () => {
  let asked = 0;
  await using server = await serve((_, response) => {
    asked += 1;
    response.end(JSON.stringify({ access_token: `t${asked}`, expires_in: 3_600 }));
  });
  const time = { now: 0 };
  const clock = { now: () => time.now, sleep: () => Promise.resolve() };
  const credentials = { url: server.url, clientId: 'c', clientSecret: 's', refreshToken: 'r' };
  const tokens = refreshedToken(credentials, clock);
  assert.equal(await Promise.all([tokens.get(signal()), tokens.get(signal())]), ['t1', 't1']);
  const used: string[] = [];
  const answer = await withToken(tokens, signal(), async (token) => {
    used.push(token);
    if (token === 't1') throw new LanewayError('effect.unauthorized', 'expired', { retry: 'backoff' });
    return 'done';
  });
  assert.equal([answer, used], ['done', ['t1', 't2']]);
  time.now = 3_540_000;
  assert.is(await tokens.get(signal()), 't3');
  const refused = withToken(tokens, signal(), () => {
    throw new LanewayError('effect.unauthorized', 'revoked', { retry: 'backoff' });
  });
  assert.is((await failureOf(refused)).code, 'effect.unauthorized');
});

test.run();
