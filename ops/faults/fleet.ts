import { GetQueueUrlCommand, SendMessageBatchCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { connectS3 } from '../../core/clients/s3.ts';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { campaignStateChangeRequestedEvent } from '../../core/contexts/campaigns/events.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { newId } from '../../core/runtime/ids.ts';
import { waitFor } from '../../core/testing/wait-for.ts';
import { type World, createWorld } from '../../core/testing/world.ts';
import { provision } from '../local/provision.ts';
import { FAULT_QUEUE, type FaultPayload, faultRegistry } from './fault-event.ts';

export interface LogLine extends Record<string, unknown> {
  level: string;
  message: string;
}

/** A worker process, and what it wrote. */
export interface FleetWorker {
  readonly name: string;
  readonly pid: number;
  readonly lines: readonly LogLine[];
  readonly stderr: string;
  /** Of its health endpoint. */
  readonly url: string;
  signal(signal: NodeJS.Signals): void;
  /** Lines whose message contains the text. */
  said(text: string): readonly LogLine[];
  /** Waits for such a line. */
  says(text: string, timeoutMs?: number): Promise<LogLine>;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Workers as processes of their own, on the stores of one world, and a producer that sends to them. */
export interface Fleet extends AsyncDisposable {
  readonly world: World;
  readonly clients: { sqs: ReturnType<typeof connectSQS> };
  /** Resolves when the worker is ready; rejects with what it wrote when it exits instead. */
  start(name: string, env?: Record<string, string>): Promise<FleetWorker>;
  /** Runs a program that is expected to end by itself. */
  run(program: string, name: string, env?: Record<string, string>): FleetWorker;
  /** Sends events to the merchant's group, in order. */
  send(merchantId: string, payloads: readonly FaultPayload[]): Promise<void>;
  /** Asks for a campaign of the merchant on an ad network. */
  sendCampaign(merchantId: string, network: 'meta' | 'google_ads'): Promise<void>;
  /** Waits until this many events are in the inbox: what a killed worker still had in its hands returns to SQS only later. */
  accepted(count: number): Promise<void>;
  /** Waits until the merchant has `count` settlements, and gives them in the order in which they were made. */
  settled(merchantId: string, count: number, timeoutMs?: number): Promise<readonly Settled[]>;
  /** Messages in the dead-letter queue's outbox rows and open deliveries: neither may be there unless a handler failed. */
  failures(): Promise<{ deadLetters: number; attempts: number; deliveries: number }>;
}

export interface Settled {
  mseq: number;
  eventId: string;
  outcome: string;
  attempts: number;
  worker: string;
}

const SQS_BATCH = 10;
/** How long anything may take that happens for certain: beside other work, a process can take half a minute to start. */
const PATIENCE_MS = 60_000;

export async function createFleet(settings: Record<string, string> = {}): Promise<Fleet> {
  const world = await createWorld();
  const { db } = world.postgres;
  const clients = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  const place = { region: 'eu-central-1', account: '000000000000' };
  await provision(clients, { registry: faultRegistry(''), stack: world.stack, ...place });
  const { queues } = topologyOf(faultRegistry(''), world.stack);
  const urlOf = async (name: string) => {
    const QueueName = queues.find((queue) => queue.name === name)?.physicalName;
    return (await clients.sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl;
  };
  const QueueUrl = await urlOf(FAULT_QUEUE);
  const running = new Set<ChildProcess>();

  const environment = (name: string, env: Record<string, string>) => ({
    ...process.env,
    LANEWAY_STACK: world.stack,
    LANEWAY_PROCESS_NAME: name,
    LANEWAY_POSTGRES_URL: world.postgresUrl,
    LANEWAY_POSTGRES_POOL: '10',
    LANEWAY_REDIS_URL: world.redisUrl,
    LANEWAY_BODY_HMAC_KEY: 'a key for tests only',
    LANEWAY_MASTER_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    LANEWAY_AD_NETWORK_URL: world.networksUrl,
    LANEWAY_AD_NETWORK_TOKEN: 'test',
    LANEWAY_POLL_WAIT_SECONDS: '1',
    LANEWAY_SWEEP_MS: '300',
    LANEWAY_ACTORS: '8',
    LANEWAY_EFFECT_ACTORS: '2',
    ...settings,
    ...env,
  });

  const run: Fleet['run'] = (program, name, env = {}) => {
    const child = spawn(process.execPath, [program], {
      env: environment(name, env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const lines: LogLine[] = [];
    let stderr = '';
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(parseLine(line)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const exited = once(child, 'close').then(() => {
      running.delete(child);
      return { code: child.exitCode, signal: child.signalCode };
    });
    const said = (text: string) => lines.filter(({ message }) => message.includes(text));
    return {
      name,
      pid: child.pid ?? 0,
      lines,
      exited,
      said,
      get stderr() {
        return stderr;
      },
      get url() {
        return String(said('ready').at(0)?.['url']);
      },
      signal: (signal) => void child.kill(signal),
      says: (text, timeoutMs = PATIENCE_MS) =>
        waitFor(`${name} to say “${text}”`, () => said(text).at(-1), { timeoutMs }),
    };
  };

  return {
    world,
    clients,
    run,
    async start(name, env) {
      const worker = run(join(import.meta.dirname, 'worker.fixture.ts'), name, env);
      const gone = worker.exited.then(({ code }) => {
        throw new Error(`${name} ended with ${code} instead of getting ready:\n${worker.stderr}`);
      });
      gone.catch(() => undefined);
      await Promise.race([worker.says('ready'), gone]);
      return worker;
    },
    async send(merchantId, payloads) {
      for (let start = 0; start < payloads.length; start += SQS_BATCH) {
        const batch = payloads.slice(start, start + SQS_BATCH);
        const { Failed = [] } = await clients.sqs.send(
          new SendMessageBatchCommand({
            QueueUrl,
            Entries: batch.map((payload, i) => ({
              Id: String(i),
              MessageBody: bodyOf(merchantId, payload),
              MessageGroupId: merchantId,
              MessageDeduplicationId: newId(),
            })),
          }),
        );
        if (Failed.length > 0) throw new Error(`${Failed.length} events were not sent: ${Failed[0]?.Message}`);
      }
    },
    async sendCampaign(merchantId, network) {
      const { name, queue, example } = campaignStateChangeRequestedEvent;
      const eventId = newId();
      const payload = { ...example, merchantId, campaignId: `${merchantId}-campaign`, adNetworkIds: [network] };
      await clients.sqs.send(
        new SendMessageCommand({
          QueueUrl: await urlOf(queue),
          MessageBody: JSON.stringify({ ...envelopeOf(merchantId, eventId), eventType: name, payload }),
          MessageGroupId: merchantId,
          MessageDeduplicationId: eventId,
        }),
      );
    },
    async accepted(count) {
      await waitFor(
        `${count} accepted events`,
        async () => {
          const { n } = await db
            .selectFrom('accepted')
            .select(({ fn }) => fn.countAll().as('n'))
            .executeTakeFirstOrThrow();
          return Number(n) >= count ? true : undefined;
        },
        { timeoutMs: PATIENCE_MS },
      );
    },
    async settled(merchantId, count, timeoutMs = PATIENCE_MS) {
      const read = async () =>
        await db
          .selectFrom('settlements')
          .select(['mseq', 'event_id as eventId', 'outcome', 'attempts', 'worker'])
          .where('merchant_id', '=', merchantId)
          .orderBy('settled_seq')
          .execute();
      return await waitFor(
        `${count} settlements of ${merchantId}`,
        async () => {
          const rows = await read();
          return rows.length >= count ? rows : undefined;
        },
        { timeoutMs },
      );
    },
    async failures() {
      const letters = await db.selectFrom('outbox').select('seq').where('stream', '=', 'dead-letters').execute();
      const deliveries = await db.selectFrom('deliveries').select('mseq').execute();
      const retried = await db.selectFrom('settlements').select('mseq').where('attempts', '>', 1).execute();
      return { deadLetters: letters.length, attempts: retried.length, deliveries: deliveries.length };
    },
    async [Symbol.asyncDispose]() {
      for (const child of running) {
        child.kill('SIGCONT');
        child.kill('SIGKILL');
      }
      await Promise.all([...running].map((child) => once(child, 'close')));
      for (const client of Object.values(clients)) client.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}

const envelopeOf = (merchantId: string, eventId: string) => ({
  eventId,
  eventVersion: '1.0.0',
  timestamp: '2026-11-23T10:15:01Z',
  sourceService: 'Test',
  correlationId: `cor-${eventId}`,
  merchantId,
});

const bodyOf = (merchantId: string, payload: FaultPayload): string =>
  JSON.stringify({ ...envelopeOf(merchantId, `${merchantId}-${payload.n}`), eventType: 'FaultEvent', payload });

/** What is no JSON line of ours is a line all the same: a warning of Node, say. */
function parseLine(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed)
      return { level: 'info', ...parsed, message: String(parsed.message) };
  } catch {
    // told as it is
  }
  return { level: 'text', message: line };
}
