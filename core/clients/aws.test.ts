import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { awsClient } from './aws.ts';

async function serve(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  const sqs = new SQSClient({
    ...awsClient(),
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  return {
    sqs,
    server,
    [Symbol.asyncDispose]: async () => {
      sqs.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a request whose kept connection the server closes is made again on another', async () => {
  const ports: (number | undefined)[] = [];
  await using world = await serve((request, response) => {
    ports.push(request.socket.remotePort);
    if (ports.length === 2) request.socket.destroy();
    else response.setHeader('content-type', 'application/x-amz-json-1.0').end('{"QueueUrls":["http://a"]}');
  });
  await world.sqs.send(new ListQueuesCommand({}));
  // The connection is free once the event loop has turned.
  await setImmediate();
  const { QueueUrls } = await world.sqs.send(new ListQueuesCommand({}));
  assert.equal(QueueUrls, ['http://a']);
  assert.is(ports.length, 3);
  assert.is(ports[0], ports[1], 'the first connection was kept');
  assert.is.not(ports[2], ports[1]);
});

test('a request that nobody answers ends when its caller gives it up, and is not made again', async () => {
  const giveUp = new AbortController();
  let requests = 0;
  await using world = await serve(() => {
    requests += 1;
    giveUp.abort(new Error('no longer wanted'));
  });
  const error: unknown = await world.sqs
    .send(new ListQueuesCommand({}), { abortSignal: giveUp.signal })
    .catch((reason: unknown) => reason);
  assert.is(error instanceof Error && error.name, 'AbortError');
  assert.is(requests, 1);
});

test('a server that is not there is told by its code, after three tries', async () => {
  const world = await serve(() => undefined);
  await new Promise((resolve) => world.server.close(resolve));
  const error = await world.sqs.send(new ListQueuesCommand({})).catch((reason: unknown) => reason);
  world.sqs.destroy();
  assert.is(error instanceof Error && 'code' in error && error.code, 'ECONNREFUSED');
  // The SDK adds it to whatever it throws.
  assert.is((error as { $metadata?: { attempts?: number } }).$metadata?.attempts, 3);
});

test.run();
