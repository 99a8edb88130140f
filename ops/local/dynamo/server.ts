import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createDynalite, DynamoError, isDynamoError } from './dynalite-internals.ts';
import { createGate } from './gate.ts';
import { createTimeToLive } from './time-to-live.ts';
import { createTransactions } from './transactions.ts';

/** dynalite with time to live, transactions, and the item that a failed condition met. */
export function createDynamoServer({ dir, sweepEveryMs }: { dir?: string; sweepEveryMs: number }): Server {
  const { server, store, handle } = createDynalite(dir);
  const gate = createGate();
  const timeToLive = createTimeToLive(store);
  const transactions = createTransactions(store);

  const ours: Record<string, (body: unknown) => Promise<Record<string, unknown>>> = {
    TransactWriteItems: (body) => gate.alone(() => transactions.write(body)),
    TransactGetItems: (body) => gate.alone(() => transactions.get(body)),
    UpdateTimeToLive: (body) => gate.alone(() => timeToLive.update(body)),
    DescribeTimeToLive: (body) => timeToLive.describe(body),
  };

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const action = ours[String(request.headers['x-amz-target']).split('.')[1] ?? ''];
    void (action === undefined ? pass(request, response) : answer(request, response, action));
  });

  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    let gone = false;
    let leave = (): void => {
      gone = true;
    };
    response.once('close', () => leave());
    const entered = await gate.enter();
    // A client that went away while it waited at the gate must not hold it open.
    if (gone) return entered();
    leave = entered;
    handle(request, response);
  };

  let sweeping = false;
  const sweep = async () => {
    if (sweeping) return;
    sweeping = true;
    try {
      await gate.alone(() => timeToLive.sweep(Math.floor(Date.now() / 1_000)));
    } catch (error) {
      console.error('sweeping expired items failed', error);
    } finally {
      sweeping = false;
    }
  };
  const timer = setInterval(() => void sweep(), sweepEveryMs);
  timer.unref();
  server.once('close', () => clearInterval(timer));
  return server;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  action: (body: unknown) => Promise<Record<string, unknown>>,
): Promise<void> {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => void chunks.push(chunk));
  await once(request, 'end');
  let status = 200;
  let body: Record<string, unknown>;
  try {
    body = await action(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    const known = isDynamoError(error)
      ? error
      : new DynamoError('InternalServerError', { message: String(error) }, 500);
    status = known.statusCode;
    body = known.body;
  }
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() });
  response.end(JSON.stringify(body));
}
