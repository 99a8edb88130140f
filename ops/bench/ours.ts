import type { Kysely } from 'kysely';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { connectRedis } from '../../core/clients/redis.ts';
import type { Database } from '../../core/database/tables.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import type { HandlerModule } from '../../core/events/handler.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { type Config, loadConfig } from '../../core/runtime/config.ts';
import { createBodyHmac } from '../../core/runtime/ids.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { bullPrefix } from '../../core/runtime/queue-names.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { acceptBatch } from '../../workers/accept.ts';
import { createAcceptBatches } from '../../workers/accept-batch.ts';
import type { AcceptResult, AcceptableEvent } from '../../workers/accept-rows.ts';
import { type Activations, createActivations } from '../../workers/activate.ts';
import { type Actors, actorSettings, startActors } from '../../workers/actors.ts';
import { decode } from '../../workers/decode.ts';
import { createInHand } from '../../workers/in-hand.ts';
import { createLanes } from '../../workers/lanes.ts';
import { type WakeEntry, wakeEntriesOf } from '../../workers/wake-entries.ts';
import { loadHandlers } from '../../workers/worker.ts';
import { type BenchEvent, benchRegistry } from './load.ts';

/** The product's own accepting and acting, wired as `workers/worker.ts` wires them, on stores that a part gives it. */
export interface Ours extends AsyncDisposable {
  config: Config;
  db: Kysely<Database>;
  /** The intake's connections, as a worker has them apart. */
  intakeDb: Kysely<Database>;
  /** Inbox, pointers and activations, in the order given. */
  accept(events: readonly AcceptableEvent[]): Promise<void>;
  /** One event, as one of many that arrive on their own: what comes while a transaction runs goes together in the next. */
  acceptOne(event: AcceptableEvent): Promise<void>;
  wake(entries: readonly WakeEntry[]): Promise<void>;
  /** From here on lanes are worked. */
  start(): void;
  /** Until here. */
  stop(): Promise<void>;
}

export interface OursOptions {
  postgresUrl: string;
  redisUrl: string;
  /** Prefix of every Redis key. */
  stack: string;
  /** Settings as in the environment of a worker; what is left out is production's default. */
  settings?: Readonly<Record<string, string>>;
  /** Merchants for whom every handler throws, each time. */
  failing?: ReadonlySet<string>;
}

export const benchSettings = ({
  postgresUrl,
  redisUrl,
  stack,
  settings = {},
}: OursOptions): Record<string, string> => ({
  LANEWAY_STACK: stack,
  LANEWAY_POSTGRES_URL: postgresUrl,
  LANEWAY_REDIS_URL: redisUrl,
  AWS_REGION: 'eu-central-1',
  LANEWAY_BODY_HMAC_KEY: 'bench-bench-bench-bench',
  LANEWAY_MASTER_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
  ...settings,
});

export async function createOurs(options: OursOptions): Promise<Ours> {
  const config = loadConfig(benchSettings(options));
  const prefix = bullPrefix(config.stack);
  const connect = (poolSize: number, plannedOnce: boolean) =>
    connectPostgres({
      url: config.postgresUrl,
      poolSize,
      indexesOnly: true,
      plannedOnce,
      applicationName: 'laneway-bench-worker',
      statementTimeoutMs: config.leaseMs,
      idleInTransactionTimeoutMs: Math.floor(config.leaseMs / 2),
      lockTimeoutMs: config.leaseMs,
    });
  const postgres = connect(config.postgresPool, false);
  const intake = connect(config.intakePool, true);
  const redis = connectRedis(config.redisUrl, 'laneway-bench-worker');
  const lanes = createLanes({ redis, prefix, cap: config.laneCap, clock, log: silentLog });
  const openActivations = () =>
    createActivations({
      ...{ redis, prefix, partitions: config.activationPartitions, worker: 'bench', leaseMs: config.leaseMs, clock },
    });
  const activations = openActivations();
  /** Of their own: what waits for work when they stop still waits for a while, and others would wait behind it. */
  let ofActors: Activations | undefined;
  const handlers = failFor(options.failing ?? new Set(), await loadHandlers(benchRegistry));
  let actors: Actors | undefined;

  const stop = async () => {
    await actors?.stop(config.leaseMs);
    await ofActors?.close();
    actors = ofActors = undefined;
  };
  const wake = async (entries: readonly WakeEntry[]) => {
    await Promise.all([lanes.addPointers(entries), activations.wake(entries.map((entry) => entry.merchantId))]);
  };
  const run = (events: readonly AcceptableEvent[]) => acceptBatch(intake.db, events, { clock });
  const batches = createAcceptBatches({ run, clock });
  const wakeFor = async (events: readonly AcceptableEvent[], verdicts: readonly AcceptResult[]) => {
    const judged = events.flatMap((event, i) => {
      const verdict = verdicts[i];
      return verdict === undefined ? [] : [{ event, verdict }];
    });
    await wake(wakeEntriesOf(judged));
  };
  return {
    config,
    db: postgres.db,
    intakeDb: intake.db,
    wake,
    accept: async (events) => wakeFor(events, await run(events)),
    acceptOne: async (event) => wakeFor([event], await batches.accept([event])),
    start() {
      ofActors = openActivations();
      actors = startActors({
        ...actorSettings(config),
        deps: {
          ...config,
          registry: benchRegistry,
          handlers,
          random: Math.random,
          pool: postgres.pool,
          clock,
          worker: 'bench',
          inHand: createInHand({ redis, prefix, log: silentLog }),
          committed: (committed) => void lanes.trim(committed),
        },
        activations: ofActors,
        log: silentLog,
        readWakes: () => Promise.resolve(new Map()),
      });
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await activations.close();
      redis.disconnect();
      await Promise.all([postgres.close(), intake.close()]);
    },
  };
}

/** Whoever calls cannot tell from the error whose event it was, as with a statement that a constraint refuses. */
function failFor(
  merchants: ReadonlySet<string>,
  handlers: ReadonlyMap<string, HandlerModule>,
): ReadonlyMap<string, HandlerModule> {
  if (merchants.size === 0) return handlers;
  const refuse = (events: readonly LanewayEvent[]) => {
    if (events.some(({ merchantId }) => merchants.has(merchantId))) throw new Error('fails on purpose');
  };
  return new Map(
    [...handlers].map(([name, module]): [string, HandlerModule] => [
      name,
      'handleMany' in module
        ? {
            handleMany: async (events, context) => {
              refuse(events);
              return await module.handleMany(events, context);
            },
          }
        : {
            handle: async (event, context) => {
              refuse([event]);
              return await module.handle(event, context);
            },
          },
    ]),
  );
}

const [queue] = topologyOf(benchRegistry, 'bench').queues;

/** What the intake makes of a message before it is accepted. Throws for one that it would refuse. */
export function toAcceptable({ body, eventId }: BenchEvent, hmacKey: string): AcceptableEvent {
  if (queue === undefined) throw new Error('the bench registry has no queue');
  const message = {
    messageId: eventId,
    receiptHandle: eventId,
    body,
    receiveCount: 1,
    firstReceivedAtMs: 0,
    attributes: {},
  };
  const decoded = decode(message, queue, benchRegistry);
  if (!decoded.ok) throw new Error(`the load holds what no event is: ${decoded.fault.message}`);
  return { ...decoded.event, bodyHmac: createBodyHmac(hmacKey)(decoded.event.body) };
}
