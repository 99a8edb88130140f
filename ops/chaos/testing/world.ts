import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { resolveAddresses } from '../../../core/clients/addresses.ts';
import { connectDynamoDB } from '../../../core/clients/dynamodb.ts';
import { connectRedis } from '../../../core/clients/redis.ts';
import { connectS3 } from '../../../core/clients/s3.ts';
import { connectSNS } from '../../../core/clients/sns.ts';
import { connectSQS } from '../../../core/clients/sqs.ts';
import { topologyOf } from '../../../core/events/topology.ts';
import { waitFor } from '../../../core/testing/wait-for.ts';
import { createWorld } from '../../../core/testing/world.ts';
import type { LoadEvent } from '../../load/load-event.ts';
import { sendLoad } from '../../load/send.ts';
import { provision } from '../../local/provision.ts';
import { startRedis } from '../../local/redis.ts';
import { supervise } from '../../local/supervisor.ts';
import { type Judgement, checkHistory } from '../check-history.ts';
import { toLoad } from '../generate-events.ts';
import { createHistoryTables } from '../history-tables.ts';
import { expectedEvents, expectedHandlers, readRecorded } from '../read-history.ts';
import { chaosRegistry } from '../registry.ts';
import type { Troubles } from '../trouble.ts';

const place = { region: 'eu-central-1', account: '000000000000' };

/**
 * Fresh stores with the tables of a chaos run, and a Redis of its own, which may be flushed. Workers are real processes; a
 * long lease keeps them from noticing by themselves what the fence is for.
 */
export async function createChaosWorld() {
  const world = await createWorld();
  const dir = mkdtempSync(join(tmpdir(), 'laneway-chaos-world-'));
  const server = await startRedis({ dir: join(dir, 'redis') });
  const redis = connectRedis(server.url, 'test');
  const aws = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  const { db } = world.postgres;
  await createHistoryTables(db);
  await provision(aws, { registry: chaosRegistry, stack: world.stack, ...place });
  const addresses = await resolveAddresses(aws.sqs, topologyOf(chaosRegistry, world.stack), place);
  const sent: LoadEvent[] = [];
  let stopWorker: () => Promise<unknown> = () => Promise.resolve();

  return {
    db,
    redis,
    /** @param more settings beyond the usual ones, such as what is to be taken out */
    async startWorker(more: Record<string, string> = {}) {
      const worker = await supervise({
        name: 'worker',
        script: join(import.meta.dirname, '../worker.ts'),
        env: {
          ...inherited(),
          LANEWAY_STACK: world.stack,
          LANEWAY_PROCESS_NAME: 'worker',
          LANEWAY_POSTGRES_URL: world.postgresUrl,
          LANEWAY_POSTGRES_POOL: '10',
          LANEWAY_REDIS_URL: server.url,
          LANEWAY_BODY_HMAC_KEY: 'a key for tests only',
          LANEWAY_MASTER_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
          LANEWAY_AD_NETWORK_URL: world.networksUrl,
          LANEWAY_AD_NETWORK_TOKEN: 'test',
          LANEWAY_LEASE_MS: '60000',
          LANEWAY_DRAIN_MS: '6000',
          LANEWAY_ACTORS: '4',
          LANEWAY_POLL_WAIT_SECONDS: '1',
          LANEWAY_SWEEP_MS: '200',
          CHAOS_STARTS_FILE: join(dir, 'starts'),
          ...more,
        },
        logFile: join(dir, 'worker.log'),
        log: () => undefined,
      });
      stopWorker = () => worker.stop();
    },
    /** Resolves when it has gone. */
    stopWorker: () => stopWorker(),
    /** Sends one event of one of the chaos types; the second one of the same id is a repetition. */
    async send(merchantId: string, eventId: string, eventType: string, troubles: Troubles = {}) {
      const definition = chaosRegistry.get(eventType);
      if (definition === undefined) throw new Error(`${eventType} is no event of a chaos run`);
      const atMs = Date.parse('2026-11-23T10:15:00.000Z');
      const load = toLoad({ eventId, merchantId, atMs, definition, payload: definition.example, troubles });
      const { queues, topics } = addresses;
      const deduplicationId = `${eventId}.${sent.length}`;
      sent.push(
        ...(await sendLoad([{ ...load, deduplicationId }], { ...aws, queues, topics, registry: chaosRegistry })),
      );
    },
    ended: (merchantId: string, pairs: number) =>
      waitFor(
        `${pairs} ends`,
        async () => {
          const { rows } = await sql`select from chaos_ends where merchant_id = ${merchantId}`.execute(db);
          return rows.length >= pairs;
        },
        { timeoutMs: 45_000 },
      ),
    repair: () => sql`insert into chaos_repairs default values`.execute(db),
    /** What the checker finds in what has happened so far. */
    async judge(): Promise<Pick<Judgement, 'overlaps' | 'inversions' | 'lost' | 'duplicateEffects'>> {
      const { overlaps, inversions, lost, duplicateEffects } = checkHistory({
        ...(await readRecorded(db)),
        handlers: expectedHandlers(chaosRegistry),
        sent: expectedEvents(sent, chaosRegistry),
        deadLetters: [],
        faults: [],
      });
      return { overlaps, inversions, lost, duplicateEffects };
    },
    async [Symbol.asyncDispose]() {
      await stopWorker();
      redis.disconnect();
      for (const client of Object.values(aws)) client.destroy();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      await world[Symbol.asyncDispose]();
    },
  };
}

const inherited = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

export type ChaosWorld = Awaited<ReturnType<typeof createChaosWorld>>;
