// test-stack
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { serve } from '@hono/node-server';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startGateway } from '../testing/start-gateway.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { waitFor } from '../../core/testing/wait-for.ts';

/** The gateway on a port, and a client that sends bytes as they are. */
async function setUp() {
  const gateway = await startGateway();
  const as = await gateway.addMerchant('shop-1');
  const server = serve({ fetch: gateway.app.fetch, hostname: '127.0.0.1', port: 0 });
  if (!server.listening) await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the gateway has no port');
  const sockets: Socket[] = [];
  const open = async () => {
    const socket = connect(address.port, '127.0.0.1');
    sockets.push(socket);
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => (received += text));
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const statuses = () => [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
    return { socket, statuses, received: () => received };
  };
  return {
    ...{ as, open },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

const head = (key: string, length: string, type = 'application/json') =>
  `POST /v1/campaigns HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: ${type}\r\n${length}\r\n\r\n`;
const sized = (length: number) => `content-length: ${length}`;
const letters = (length: number) => 'x'.repeat(length);

test('after a body that was refused, the connection serves the next request, however much later it comes', async () => {
  await using t = await setUp();
  const chunk = `${(550_000).toString(16)}\r\n${letters(550_000)}\r\n`;
  const refused: [number, string][] = [
    [413, head(t.as, sized(1_100_000)) + letters(1_100_000)],
    [413, `${head(t.as, 'transfer-encoding: chunked')}${chunk}${chunk}0\r\n\r\n`],
    [401, head(`lw_${'a'.repeat(43)}`, sized(500_000)) + letters(500_000)],
    [415, head(t.as, sized(500_000), 'text/plain') + letters(500_000)],
  ];
  const nothing = new AbortController().signal;
  for (const [status, request] of refused) {
    const client = await t.open();
    client.socket.write(request);
    await waitFor(`the answer ${status}`, () => client.statuses().length === 1);
    assert.equal([client.statuses(), /connection: close/i.test(client.received())], [[status], false]);
    // Longer than the server waits before it ends a connection with a body that nobody read.
    await systemClock.sleep(800, nothing);
    client.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await waitFor('the next answer', () => client.statuses().length === 2);
    assert.equal(client.statuses(), [status, 200]);
  }
});

test('where the body does not come to its end, the answer says that the connection closes', async () => {
  await using t = await setUp();
  const client = await t.open();
  const closed = once(client.socket, 'close');
  client.socket.write(`${head(t.as, sized(1_100_000))}{`);
  await waitFor('the answer', () => client.statuses().length === 1);
  assert.equal(client.statuses(), [413]);
  assert.match(client.received(), /\r\nconnection: close\r\n/i);
  await closed;
});

test.run();
