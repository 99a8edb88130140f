import { type RedisQueueBackend, createRedisBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { ADD, EXCHANGE, PROMOTE, RECOVER, RENEW } from './activation-scripts.ts';
import { encodeMerchant, newId } from '../core/runtime/ids.ts';

/**
 * One partition of the activations: a BullMQ queue of "look at this merchant", of which at most one waits or runs for each
 * merchant. Workers take and return many at a time, since an activation is often worth one event and a round trip each
 * way would cost more than the event.
 *
 * waiting ─► active (locked for a lease) ─► gone, or waiting again when a wake-up came meanwhile
 *               │  ├──quantum used──► a new one at the tail
 *               │  └──not due──► delayed ─► waiting
 *               └──lock ran out──► waiting, its `stalledCount` raised
 */
export interface ActivationQueue {
  readonly name: string;
  /** @param endsAfterMs suspensions that would end later, epoch milliseconds, are over; without it they absorb the wake-up */
  add(merchantIds: readonly string[], nowMs: number, endsAfterMs?: number): Promise<void>;
  exchange(
    ends: readonly ActivationEnd[],
    claim: { room: number; leaseMs: number; nowMs: number },
  ): Promise<ActivationExchange>;
  /** Renews locks for a whole lease. Resolves with those that are not the caller's any more. */
  renew(activations: readonly Activation[], leaseMs: number): Promise<readonly Activation[]>;
  /** Makes suspended activations due now. */
  promote(activations: readonly Activation[]): Promise<void>;
  /** Puts back activations whose lock ran out, and counts them. Any number of workers may ask, one does it for all. */
  recoverStalled(): Promise<number>;
  /** Resolves when something may be waiting, or after `timeoutMs`. With the due time of what is delayed, where known. */
  waitForWork(timeoutMs: number): Promise<{ dueAt: number } | undefined>;
  close(): Promise<void>;
}

export interface Activation {
  id: string;
  merchantId: string;
  /** Names this claim: an activation that was taken away and claimed again by the same process has another. */
  token: string;
  /** How often its lock ran out, which is how a death of a worker process shows. */
  stalledCount: number;
  claimCount: number;
}

export type ActivationEnd =
  | { activation: Activation; action: 'done' | 'again' }
  /** `atMs`: epoch milliseconds. */
  | { activation: Activation; action: 'later'; atMs: number };

export interface ActivationExchange {
  claimed: readonly Activation[];
  /** Ends that came too late: their activations belong to somebody else, or to nobody. */
  refused: readonly Activation[];
  /** When the first delayed activation is due, epoch milliseconds. */
  dueAt: number | undefined;
}

interface ScriptedRedis extends Redis {
  activationsAdd(keyCount: number, ...args: (string | number)[]): Promise<number>;
  activationsExchange(
    keyCount: number,
    ...args: (string | number)[]
  ): Promise<[ended: number[], claimed: (string | number)[], due: string]>;
  activationsPromote(keyCount: number, ...args: (string | number)[]): Promise<number>;
  activationsRecover(keyCount: number, ...args: (string | number)[]): Promise<number>;
  activationsRenew(keyCount: number, ...args: (string | number)[]): Promise<number[]>;
}

/** How often each worker looks for activations whose lock ran out. Nobody looks again within half of that. */
export const recoveryIntervalMs = (leaseMs: number): number => Math.max(50, Math.floor(leaseMs / 20));

/** Redis refuses scripts with more arguments than its stack holds; far below that, one call stays short for the others. */
const MAX_PER_CALL = 500;

export function createActivationQueue(options: {
  redis: Redis;
  prefix: string;
  name: string;
  /** What this process is called. */
  worker: string;
  leaseMs: number;
}): ActivationQueue {
  const { name, prefix, leaseMs } = options;
  for (const [command, lua] of Object.entries({
    activationsAdd: ADD,
    activationsExchange: EXCHANGE,
    activationsPromote: PROMOTE,
    activationsRecover: RECOVER,
    activationsRenew: RENEW,
  }))
    options.redis.defineCommand(command, { lua });
  // defineCommand adds the methods at run time; the cast names what it added.
  const redis = options.redis as ScriptedRedis;
  const key = (suffix: string) => `${prefix}:${name}:${suffix}`;
  const base = key('');
  let blocking: RedisQueueBackend | undefined;
  /** Tokens of exchanges that were answered, which Redis need not remember any more. */
  let answered: string[] = [];
  const listened = (made: RedisQueueBackend): RedisQueueBackend => {
    // Redis being away is told by the commands that fail; unheard, the event would end the process.
    made.on('error', () => undefined);
    return made;
  };
  const bull = { connection: redis, prefix };
  const waiting = () => (blocking ??= listened(createRedisBackend(name, bull, { withBlockingConnection: true })));

  return {
    name,
    async add(merchantIds, nowMs, endsAfterMs) {
      for (let from = 0; from < merchantIds.length; from += MAX_PER_CALL) {
        const args = merchantIds
          .slice(from, from + MAX_PER_CALL)
          // The id is always new: BullMQ's own bookkeeping goes by id, and a repeated one would inherit another's lock.
          .flatMap((merchantId) => [`a-${newId()}`, encodeMerchant(merchantId), JSON.stringify({ merchantId })]);
        const keys = ['wait', 'marker', 'delayed'].map(key);
        await redis.activationsAdd(keys.length, ...keys, base, nowMs, endsAfterMs ?? '', ...args);
      }
    },
    async exchange(ends, { room, leaseMs: lockMs, nowMs }) {
      const token = newId();
      const keys = ['wait', 'active', 'delayed', 'marker', 'meta', `answer:${token}`].map(key);
      const args = ends.flatMap((end) => [
        end.activation.id,
        end.activation.token,
        end.action,
        end.action === 'later' ? Math.max(Math.ceil(end.atMs), nowMs + 1) : 0,
        `a-${newId()}`,
        encodeMerchant(end.activation.merchantId),
      ]);
      const claim = [base, nowMs, Math.min(room, MAX_PER_CALL), token, lockMs, options.worker];
      const over = answered;
      answered = [];
      const [ended, claimed, due] = await redis.activationsExchange(
        keys.length,
        ...[...keys, ...claim, over.length, ...over, ...args],
      );
      if (ended.length + claimed.length > 0) answered.push(token);
      return {
        claimed: Array.from({ length: claimed.length / 4 }, (_, i) => readClaim(claimed.slice(4 * i), token)),
        refused: ends.flatMap(({ activation }, i) => (ended[i] === 1 ? [] : [activation])),
        dueAt: due === '' ? undefined : Number(due),
      };
    },
    async renew(activations, lockMs) {
      const held: number[] = [];
      for (let from = 0; from < activations.length; from += MAX_PER_CALL) {
        const some = activations.slice(from, from + MAX_PER_CALL);
        const locks = some.map(({ id }) => key(`${id}:lock`));
        held.push(...(await redis.activationsRenew(locks.length, ...locks, lockMs, ...some.map(({ token }) => token))));
      }
      return activations.filter((_, i) => held[i] !== 1);
    },
    async promote(activations) {
      if (activations.length === 0) return;
      const ids = activations.map(({ id }) => id);
      await redis.activationsPromote(3, key('wait'), key('delayed'), key('marker'), base, ...ids);
    },
    async recoverStalled() {
      const keys = ['wait', 'active', 'marker', 'stalled-check'].map(key);
      const quietMs = Math.ceil(recoveryIntervalMs(leaseMs) / 2);
      return await redis.activationsRecover(keys.length, ...keys, base, quietMs);
    },
    async waitForWork(timeoutMs) {
      const marker = await waiting().waitForJob(Math.max(0.002, timeoutMs / 1_000));
      return marker === null || marker.score === 0 ? undefined : { dueAt: marker.score };
    },
    async close() {
      await blocking?.close(true);
    },
  };
}

function readClaim([id, data, stalledCount, claimCount]: (string | number)[], token: string): Activation {
  return {
    id: String(id),
    merchantId: merchantOf(String(data)),
    token,
    stalledCount: Number(stalledCount),
    claimCount: Number(claimCount),
  };
}

/** No merchant's id is empty: what somebody else put into the queue is nobody's activation, and ends as caught up. */
function merchantOf(json: string): string {
  const data = activationData.safeParse(JSON.parse(json));
  return data.success ? data.data.merchantId : '';
}

const activationData = z.object({ merchantId: z.string() });
