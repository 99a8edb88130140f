import type { Redis } from 'ioredis';
import { connectRedis } from '../../../core/clients/redis.ts';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import { createRandom } from '../../load/random.ts';
import { type BenchContext, scaled } from '../context.ts';
import { type Round, holdContest, judgeContest } from '../contest.ts';
import { merchantIds, productEvents } from '../load.ts';
import { type Ours, createOurs, toAcceptable } from '../ours.ts';
import type { BenchDatabase } from '../servers.ts';
import { assertSettledInOrder, awaitCursors, lastCommitMs } from '../settled.ts';
import { median, round } from '../statistics.ts';

const populations = [1_000, 10_000, 100_000] as const;
const acceptedAtOnce = 500;
const idleMs = 5_000;

/** A fleet's stores after every merchant of it was served once. */
interface Population {
  name: string;
  merchants: readonly string[];
  database: BenchDatabase;
  stack: string;
  redisBytesPerIdleMerchant: number;
  accepted: number;
}

/**
 * 1,000 merchants with 20 events each, drawn from 1,000, 10,000 and 100,000 that have all been served before. Merchants who
 * are idle must cost nothing: not throughput, not connections, not commands, and next to no memory.
 */
export async function runScale(context: BenchContext) {
  const redis = connectRedis(context.servers.redisUrl, 'laneway-bench');
  await redis.flushall();
  await using stack = new AsyncDisposableStack();
  const served: Population[] = [];
  for (const size of populations) {
    const population = await serve(context, redis, scaled(context, size, Math.max(20, size / 500)));
    stack.use(population.database);
    served.push(population);
    context.say(
      `${population.merchants.length} served, ${round(population.redisBytesPerIdleMerchant)} bytes each when idle`,
    );
  }
  const idle: Record<string, IdleCost[]> = {};
  const contenders = Object.fromEntries(
    served.map((population) => [
      population.name,
      async () => {
        const { rate, cost } = await work(context, redis, population);
        (idle[population.name] ??= []).push(cost);
        return rate;
      },
    ]),
  );
  const rounds = await holdContest({ pairs: context.pairs, contenders, say: context.say });
  redis.disconnect();
  const { medians, spread } = judgeContest(rounds);
  const rows = served.map(({ name, merchants, redisBytesPerIdleMerchant }) => ({
    merchants: merchants.length,
    ours: medians[name] ?? Number.NaN,
    redisBytesPerIdleMerchant: round(redisBytesPerIdleMerchant),
    redisClients: median((idle[name] ?? []).map((cost) => cost.clients)),
    idleCommandsPerSecond: round(median((idle[name] ?? []).map((cost) => cost.commandsPerSecond))),
  }));
  const [smallest, , largest] = served.map(({ name }) => name);
  const pairOf = (each: Round): Round => ({
    ours: each[largest ?? ''] ?? Number.NaN,
    throughput100kTo1k: each[smallest ?? ''] ?? Number.NaN,
  });
  const { ratios, ratioSpread } = judgeContest(rounds.map(pairOf));
  const last = rows.at(-1);
  return {
    rows,
    ratios,
    ratioSpread,
    redisBytesPerIdleMerchant: last?.redisBytesPerIdleMerchant,
    redisClients: last?.redisClients,
    idleCommandsPerSecond: last?.idleCommandsPerSecond,
    spread,
    pairs: context.pairs,
  };
}

/** Connections, scripts and buffers cost the same for any number of merchants: they are there before memory is counted. */
const settlers = 10;

async function serve(context: BenchContext, redis: Redis, size: number): Promise<Population> {
  const database = await context.servers.createDatabase();
  const stack = `scale-${size}`;
  const merchants = merchantIds(size);
  await using ours = await createOurs({ postgresUrl: database.url, redisUrl: context.servers.redisUrl, stack });
  ours.start();
  const serveOnce = async (own: readonly string[], total: number) => {
    await acceptAll(ours, productEvents({ merchants: own, each: 1, salt: 'first' }));
    await awaitCursors(database.db, total);
    await lanesGone(redis, stack);
  };
  await serveOnce(merchants.slice(0, settlers), Math.min(settlers, size));
  const before = await memoryOfKeys(redis);
  await serveOnce(merchants.slice(settlers), size);
  await assertSettledInOrder(database.db, size);
  const grown = Math.max(0, (await memoryOfKeys(redis)) - before);
  const redisBytesPerIdleMerchant = grown / Math.max(1, size - settlers);
  return { name: `of${size}`, merchants, database, stack, redisBytesPerIdleMerchant, accepted: size };
}

interface IdleCost {
  clients: number;
  commandsPerSecond: number;
}

async function work(context: BenchContext, redis: Redis, population: Population) {
  const { database, stack, merchants } = population;
  const random = createRandom(population.accepted);
  const active = new Set<string>();
  while (active.size < Math.min(merchants.length, scaled(context, 1_000, 10)))
    active.add(merchants[random.below(merchants.length)] ?? '');
  const events = productEvents({ merchants: [...active], each: 20, salt: `at${population.accepted}` });
  await using ours = await createOurs({ postgresUrl: database.url, redisUrl: context.servers.redisUrl, stack });
  await acceptAll(ours, events);
  population.accepted += events.length;
  const startedAt = Date.now();
  ours.start();
  await awaitCursors(database.db, population.accepted);
  const seconds = ((await lastCommitMs(database.db, startedAt)) - startedAt) / 1_000;
  await assertSettledInOrder(database.db, population.accepted);
  return { rate: events.length / seconds, cost: await idleCost(context, redis) };
}

async function acceptAll(ours: Ours, events: ReturnType<typeof productEvents>): Promise<void> {
  for (let at = 0; at < events.length; at += acceptedAtOnce)
    await ours.accept(
      events.slice(at, at + acceptedAtOnce).map((event) => toAcceptable(event, ours.config.bodyHmacKey)),
    );
}

async function idleCost(context: BenchContext, redis: Redis): Promise<IdleCost> {
  const forMs = Math.max(1_000, idleMs * Math.min(1, context.scale));
  const before = await commandsProcessed(redis);
  await clock.sleep(forMs);
  // The question itself is a command.
  const commands = (await commandsProcessed(redis)) - before - 1;
  const clients = String(await redis.client('LIST'))
    .trim()
    .split('\n').length;
  return { clients, commandsPerSecond: commands / (forMs / 1_000) };
}

const infoFigure = async (redis: Redis, section: string, name: string): Promise<number> =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info(section))?.[1] ?? Number.NaN);

/** What is left of the memory in use without the buffers of connections and of the append-only file, which come and go. */
async function memoryOfKeys(redis: Redis): Promise<number> {
  const [used, clients, appendOnly] = await Promise.all(
    ['used_memory', 'mem_clients_normal', 'mem_aof_buffer'].map((name) => infoFigure(redis, 'memory', name)),
  );
  return (used ?? Number.NaN) - (clients ?? Number.NaN) - (appendOnly ?? Number.NaN);
}
const commandsProcessed = (redis: Redis): Promise<number> => infoFigure(redis, 'stats', 'total_commands_processed');

/** Trimming follows the commit without being waited for; memory is read when it has caught up. */
async function lanesGone(redis: Redis, stack: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await redis.dbsize()) < 1_000 && (await redis.keys(`${stack}:lane-*`)).length === 0) return;
    await clock.sleep(100);
  }
  throw new Error(`lanes of ${stack} have keys in Redis although nothing is pending`);
}
