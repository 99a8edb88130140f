import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Kysely } from 'kysely';
import { createEffectClaims } from './effect-claims.ts';
import { createDestinationSlots } from './destination-slots.ts';
import type { EffectRunDependencies } from './effect-conclude.ts';
import type { EffectKey } from './effect-lane.ts';
import { createEffectLimits } from './effect-limits.ts';
import { workEffectLane } from './effect-run.ts';
import { activationWorkerOptions } from './activation-worker.ts';
import { holdLease } from './lease.ts';
import { deferEffectLane, passEffectLaneBy } from './leave-effect-lane.ts';
import { restAfterErrors, tellErrors } from './rest-after-errors.ts';
import type { Database } from '../core/database/tables.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import type { DestinationLimits } from '../core/events/destination-limits.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { LanewayError, coerceError, isInfrastructureError } from '../core/runtime/errors.ts';
import { encodeMerchant, newId, newOwner, shardOf } from '../core/runtime/ids.ts';
import { type Log, nowAndThen, onceWhileFailing } from '../core/runtime/log.ts';
import { effectQueueName } from '../core/runtime/queue-names.ts';
import { type RetryPolicy, effectRetry } from '../core/runtime/retry.ts';

/**
 * The fleet's effect actors in this process. An activation says "look at this (merchant, destination)"; what there is to do
 * is in Postgres. It ends in one of these ways.
 *
 * active ─► completed   nothing is due (`effect_lanes.due_at` says when something will be), the lane is another one's, or
 *                       its destination is away, out of quota, unknown to this release, or has all the slots that this
 *                       process gives it
 * active ─► completed, with a new activation behind it   quantum used, or shutdown
 * active ─► delayed     Postgres or DynamoDB is away: no effect may begin
 *
 * An effect that waits holds no slot here: it is a due date in Postgres, and the sweeper wakes its lane.
 */
export interface EffectActors {
  start(): void;
  /** Finishes the calls in flight, each within its deadline and all within `graceMs` (a lease), and puts the rest back. */
  stop(graceMs?: number): Promise<void>;
  /** Rejects when Redis refuses; `effect_lanes.due_at` then makes up for it. */
  wake(keys: readonly EffectKey[]): Promise<void>;
  readonly queues: readonly Queue<EffectKey>[];
  /** Lanes being worked. */
  readonly active: number;
}

export interface EffectActorOptions {
  db: Kysely<Database>;
  redis: Redis;
  prefix: string;
  dynamodb: DynamoDBClient;
  claimsTable: string;
  /** Throws `config.invalid` for a destination that this release does not know. */
  drivers(destination: string): DestinationDriver;
  registry: Registry;
  /** What this process is called. */
  worker: string;
  leaseMs: number;
  concurrency: number;
  /** By destination, instead of what its driver declares. */
  limits?: Readonly<Record<string, DestinationLimits>>;
  /** How long effects wait for a destination that is away; a day when it is not given. */
  awayMs?: number;
  clock: Clock;
  log: Log;
  partitions?: number;
  retry?: RetryPolicy;
  /** How long a run goes on before it makes room for other lanes. */
  quantumMs?: number;
  /** In [0, 1). */
  random?: () => number;
  /** Called after a commit that wrote to the outbox. */
  emitted?: () => void;
}

const INFRASTRUCTURE_BASE_MS = 500;
const INFRASTRUCTURE_CAP_MS = 10_000;
/** For how long a lane is left to workers that may know its destination, before it is looked at again. */
const STRANGE_MS = 60_000;
const STRANGE_SAID_EVERY_MS = 60_000;

/**
 * At most one activation of a lane waits or runs; one asked for meanwhile follows it. `~.` occurs in no encoding, so that
 * two lanes never share an id. The job id is always new: an id that exists would lose the wake-up.
 */
const activationJob = (key: EffectKey) => ({
  name: 'effect',
  data: { merchantId: key.merchantId, destination: key.destination },
  opts: {
    jobId: `e-${newId()}`,
    deduplication: {
      id: `${encodeMerchant(key.merchantId)}~.${encodeMerchant(key.destination)}`,
      keepLastIfActive: true,
    },
    removeOnComplete: true,
    removeOnFail: true,
  },
});

const CLOSE_MS = 2_000;
const IDLE_LOOK_MS = 50;

export function createEffectActors(options: EffectActorOptions): EffectActors {
  const { leaseMs, log, clock, random = Math.random } = options;
  const stopping = new AbortController();
  const trouble = onceWhileFailing(log, 'effects');
  const strange = nowAndThen(log, 'effects wait for a worker that knows their destination', {
    everyMs: STRANGE_SAID_EVERY_MS,
    clock,
  });
  const limitsOf = (destination: string): DestinationLimits =>
    options.limits?.[destination] ?? options.drivers(destination).limits(destination);
  const limits = createEffectLimits({ db: options.db, limitsOf, clock, random, log });
  const slots = createDestinationSlots((destination) => limitsOf(destination).concurrency);
  const deps: EffectRunDependencies = {
    db: options.db,
    registry: options.registry,
    clock,
    claims: createEffectClaims({ dynamodb: options.dynamodb, tableName: options.claimsTable, clock, log }),
    limits,
    retry: options.retry ?? effectRetry,
    awayMs: options.awayMs ?? 86_400_000,
    random,
    leaseMs,
    quantumMs: options.quantumMs ?? 10_000,
    log,
    emitted: options.emitted ?? (() => undefined),
  };
  const queues = Array.from({ length: options.partitions ?? 1 }, (_, partition) => {
    const queue = new Queue<EffectKey>(effectQueueName(partition), {
      connection: options.redis,
      prefix: options.prefix,
      streams: { events: { maxLen: 1_000 } },
    });
    queue.on('error', () => undefined);
    return queue;
  });
  let workers: Worker<EffectKey>[] = [];
  let active = 0;

  const wake: EffectActors['wake'] = async (keys) => {
    const byPartition = Map.groupBy(keys, ({ merchantId }) => shardOf(merchantId, queues.length));
    await Promise.all(
      [...byPartition].map(async ([partition, lanes]) => queues[partition]?.addBulk(lanes.map(activationJob))),
    );
  };

  const work = async (job: Job<EffectKey>, token: string): Promise<void> => {
    const { merchantId, destination } = job.data;
    const key = { merchantId, destination };
    using lease = holdLease(job, token, leaseMs, log.child(key));
    const end = await workEffectLane(deps, {
      key,
      tenure: { owner: newOwner(), worker: options.worker },
      driver: options.drivers(destination),
      stop: AbortSignal.any([lease.signal, stopping.signal]),
      renew: () => renewed(job, token, leaseMs),
    });
    trouble.ok();
    if (end === 'more') await wake([key]);
  };

  const isKnown = (destination: string): boolean => {
    try {
      options.drivers(destination);
      limitsOf(destination);
      return true;
    } catch (error) {
      if (error instanceof LanewayError && error.code === 'config.invalid') return false;
      throw error;
    }
  };

  /** Works the lane if its destination is known and has a slot left here; the slot goes to the next lane that waits for one. */
  const workInSlot = async (job: Job<EffectKey>, token: string): Promise<void> => {
    const { destination, merchantId } = job.data;
    if (!isKnown(destination)) {
      strange({ merchantId, destination });
      return await passEffectLaneBy(options.db, job.data, clock.now(), clock.now() + STRANGE_MS);
    }
    if (!slots.enter(job.data)) return await deferEffectLane(options.db, job.data, clock.now() + leaseMs);
    try {
      await work(job, token);
    } finally {
      const next = slots.leave(destination);
      if (next !== undefined)
        wake([next]).catch((error: unknown) => {
          log.debug('a lane that waited for a slot is woken later', { merchantId, destination, error: String(error) });
        });
    }
  };

  /** Throws nothing but DelayedError: any other throw would fail the activation. */
  const process = async (job: Job<EffectKey>, token = ''): Promise<void> => {
    active += 1;
    try {
      await workInSlot(job, token);
    } catch (error) {
      if (error instanceof LanewayError && error.code === 'fence.lost') {
        log.info('this effect lane is another owner’s', { ...job.data, ...error.detail });
        return;
      }
      sayWhy(job, error);
      const ceiling = Math.min(INFRASTRUCTURE_CAP_MS, INFRASTRUCTURE_BASE_MS * 2 ** Math.min(job.attemptsStarted, 10));
      try {
        await job.moveToDelayed(clock.now() + Math.round(ceiling * (0.5 + random() / 2)), token);
      } catch {
        // Redis took the activation away. The lane's due_at brings it back.
        return;
      }
      throw new DelayedError();
    } finally {
      active -= 1;
    }
  };

  const sayWhy = (job: Job<EffectKey>, error: unknown) => {
    const away = error instanceof LanewayError && error.code === 'service.unavailable';
    if (away || isInfrastructureError(error)) return trouble.failing(error);
    const unexpected = coerceError(error, 'internal.unexpected');
    log.error('an effect lane could not be worked, will try again', {
      ...job.data,
      error: unexpected.message,
      stack: unexpected.stack,
    });
  };

  const nothingActive = async (untilMs: number): Promise<void> => {
    for (;;) {
      if (active === 0 || clock.now() >= untilMs) return;
      await clock.sleep(IDLE_LOOK_MS);
    }
  };
  /** Nothing that is closed here is needed by whoever comes next. */
  const left = (what: string, closing: Promise<unknown>): Promise<void> =>
    withDeadline(`closing ${what}`, CLOSE_MS, () => closing).then(
      () => undefined,
      (error: unknown) =>
        void log.warn('left as it is', { error: error instanceof Error ? error.message : String(error) }),
    );

  return {
    queues,
    wake,
    get active() {
      return active;
    },
    start() {
      workers = queues.map((queue) => {
        const worker = new Worker<EffectKey>(
          queue.name,
          process,
          activationWorkerOptions({ ...options, concurrency: options.concurrency / queues.length }),
        );
        tellErrors(worker, trouble);
        restAfterErrors(worker, clock);
        return worker;
      });
    },
    async stop(graceMs = leaseMs) {
      stopping.abort(new Error('shutdown'));
      const closed = Promise.all(workers.map((worker) => worker.close()));
      // Calls are waited for; a connection to a Redis that does not answer is not.
      await Promise.race([closed, nothingActive(clock.now() + graceMs)]);
      await left('workers of effects', closed);
      // Without it, what this process held of the quotas is refilled in time.
      await left('quotas', limits.release());
      await left('queues of effects', Promise.all(queues.map((queue) => queue.close())));
    },
  };
}

/** A quarter of the lease is what the answer may take: Redis commands wait for a lost connection without end. */
async function renewed(job: Job, token: string, leaseMs: number): Promise<boolean> {
  try {
    return (await withDeadline('renewing a lease', leaseMs / 4, () => job.extendLock(token, leaseMs))) !== 0;
  } catch {
    return false;
  }
}
