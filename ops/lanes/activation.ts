import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { withDeadline } from '../../core/runtime/deadline.ts';
import { encodeMerchant, shardOf } from '../../core/runtime/ids.ts';
import { bullPrefix, sweepMarkerKey } from '../../core/runtime/queue-names.ts';
import type { Activations } from '../../workers/activate.ts';

/** Where a merchant's activation is, as Redis has it. */
export type Activation =
  | { kind: 'none' }
  /**
   * Claimed by a worker, at that time. Its lock is renewed for as long as the worker lives: `lockedForMs` is what is left of it,
   * and null where it ran out.
   */
  | { kind: 'active'; by: string | null; since: string | null; lockedForMs: number | null }
  /** `ahead` activations are taken before it. */
  | { kind: 'waiting'; ahead: number }
  | { kind: 'delayed'; until: string };

export type RedisFacts =
  | { kind: 'unreachable'; why: string }
  | {
      kind: 'reached';
      activation: Activation;
      /** False when Redis has lost what the fleet put there, and the sweeper has not noticed yet. */
      markerPresent: boolean;
    };

export interface RedisSide {
  redis: Redis;
  activations: Activations;
  stack: string;
}

const DEADLINE_MS = 3_000;
/** How far a queue of activations is looked through for one merchant's place. */
const PLACES_CONSIDERED = 1_000_000;

/** Never rejects: a Redis that cannot be asked is an answer. */
export async function readRedisFacts(side: RedisSide, merchantId: string): Promise<RedisFacts> {
  try {
    return await withDeadline('Redis', DEADLINE_MS, async () => ({
      kind: 'reached' as const,
      activation: await findActivation(side, merchantId),
      markerPresent: (await side.redis.exists(sweepMarkerKey(bullPrefix(side.stack)))) === 1,
    }));
  } catch (error) {
    return { kind: 'unreachable', why: error instanceof Error ? error.message : String(error) };
  }
}

async function findActivation(side: RedisSide, merchantId: string): Promise<Activation> {
  const { redis } = side;
  const queue = queueOf(side, merchantId);
  const job = await activationJob(queue, merchantId);
  if (job === undefined) return { kind: 'none' };
  const state = await job.getState();
  switch (state) {
    case 'active':
      // It may have ended since, and another begun.
      return (await readClaim(redis, queue, job.id ?? '')) ?? (await findActivation(side, merchantId));
    case 'delayed':
      return {
        kind: 'delayed',
        until: await delayedUntil(redis, queue.toKey('delayed'), job.id),
      };
    case 'waiting': {
      const key = queue.toKey('wait');
      // Taken from the end of the list, so places are counted from there.
      const [index, length] = await Promise.all([
        redis.lpos(key, job.id ?? '', 'RANK', -1, 'MAXLEN', PLACES_CONSIDERED),
        redis.llen(key),
      ]);
      return { kind: 'waiting', ahead: index === null ? 0 : length - 1 - index };
    }
    default:
      return { kind: 'none' };
  }
}

/** Claim and lock as they are at one moment: between two looks, one could have gone with the other. */
async function readClaim(redis: Redis, queue: Queue, jobId: string): Promise<Activation | undefined> {
  const answers = await redis
    .multi()
    .lpos(queue.toKey('active'), jobId)
    .pttl(queue.toKey(`${jobId}:lock`))
    .hmget(queue.toKey(jobId), 'pb', 'processedOn')
    .exec();
  const [place, lockedForMs, fields] = claim.parse(answers?.map(([, answer]) => answer));
  if (place === null) return undefined;
  const [by, since] = fields;
  return {
    kind: 'active',
    by,
    since: since === null ? null : new Date(Number(since)).toISOString(),
    lockedForMs: lockedForMs > 0 ? lockedForMs : null,
  };
}

const text = z.string().nullable();
const claim = z.tuple([z.number().nullable(), z.number(), z.tuple([text, text])]);

/** BullMQ scores a delayed job with its time in milliseconds, shifted by 12 bits for a counter. */
async function delayedUntil(redis: Redis, key: string, jobId = ''): Promise<string> {
  const score = await redis.zscore(key, jobId);
  return new Date(Math.floor(Number(score ?? 0) / 4_096)).toISOString();
}

/** The merchant's partition as BullMQ sees it; it borrows the connection, so that nothing needs closing. */
function queueOf({ redis, activations, stack }: RedisSide, merchantId: string): Queue {
  const partition = activations.queues[shardOf(merchantId, activations.queues.length)];
  if (partition === undefined) throw new Error('there is no queue of activations');
  const queue = new Queue(partition.name, { connection: redis, prefix: bullPrefix(stack), skipMetasUpdate: true });
  queue.on('error', () => undefined);
  return queue;
}

async function activationJob(queue: Queue, merchantId: string) {
  const jobId = await queue.getDeduplicationJobId(encodeMerchant(merchantId));
  return jobId === null ? undefined : await queue.getJob(jobId);
}

/**
 * Makes a lane run now: an activation, and if it was suspended, its end. To be called after the command is committed, whose
 * raised `wake` catches the actor that is about to suspend it. False when Redis did not take it: the sweeper then does.
 */
export async function wakeNow(side: RedisSide, merchantId: string): Promise<boolean> {
  try {
    return await withDeadline('Redis', DEADLINE_MS, async () => {
      await side.activations.wake([merchantId]);
      const job = await activationJob(queueOf(side, merchantId), merchantId);
      // Promoting fails where the job is not delayed any more, which is what was wanted.
      if ((await job?.getState()) === 'delayed') await job?.promote().catch(() => undefined);
      return true;
    });
  } catch {
    return false;
  }
}
