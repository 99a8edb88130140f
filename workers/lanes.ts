import { type Job, Queue, type RedisQueueBackend, createRedisBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WakeEntry } from './wake-entries.ts';
import { laneQueueName } from '../core/runtime/queue-names.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/**
 * A lane is a merchant's own BullMQ queue of pointers `{ mseq, type, correlationId }`: what is pending and how much, for
 * people to see. It decides nothing. Order, existence and completion are read from Postgres, so pointers may be missing,
 * late or out of order without harm, and every failure here is only logged.
 *
 * All lanes share one Redis connection: a BullMQ Worker per merchant would need a blocking connection and timers each.
 */
export interface Lanes {
  /** Adds pointers where the lane is below its cap; what is beyond it waits in the inbox only. */
  addPointers(entries: readonly WakeEntry[]): Promise<void>;
  /** Removes every pointer up to the cursor, and the lane's remaining keys when nothing is left. */
  trim(merchantId: string, cursor: number): Promise<void>;
}

/**
 * Pops from the old end while the pointer lies at or below the cursor. By comparison, not by id: a pointer that was added
 * late then goes with a later trim instead of jamming this one.
 * KEYS: wait, meta, id, marker, events, pc, active, delayed, prioritized, failed. ARGV: cursor, key prefix, bound.
 */
const TRIM = `
local removed = 0
while removed < tonumber(ARGV[3]) do
  local id = redis.call('LINDEX', KEYS[1], -1)
  if not id then break end
  local mseq = tonumber(string.match(id, '^e%-(%d+)$'))
  if mseq and mseq > tonumber(ARGV[1]) then break end
  redis.call('RPOP', KEYS[1])
  redis.call('UNLINK', ARGV[2] .. id)
  removed = removed + 1
end
if redis.call('EXISTS', KEYS[1], KEYS[7], KEYS[8], KEYS[9], KEYS[10]) == 0 then
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
end
return removed
`;
const SUFFIXES = [
  'wait',
  'meta',
  'id',
  'marker',
  'events',
  'pc',
  'active',
  'delayed',
  'prioritized',
  'failed',
] as const;

const MAX_CACHED_QUEUES = 5_000;

interface TrimmingRedis extends Redis {
  laneTrim(keyCount: number, ...args: (string | number)[]): Promise<number>;
}

export function createLanes(options: { redis: Redis; prefix: string; cap: number; log: Log }): Lanes {
  const { prefix, cap } = options;
  options.redis.defineCommand('laneTrim', { lua: TRIM });
  // defineCommand adds the method at run time; the cast names what it added.
  const redis = options.redis as TrimmingRedis;
  const root = createRedisBackend('lanes', { connection: redis });
  // Redis being away is told by the commands that fail; unheard, the event would end the process.
  root.on('error', () => undefined);
  // Redis in, Redis out: a sibling of this backend is one of the same kind, which its type does not say.
  const share = (name: string) => root.forQueue(name, prefix) as RedisQueueBackend;
  const queues = new Map<string, Queue>();
  const trouble = onceWhileFailing(options.log, 'lane pointers in Redis');

  /** Least recently used queues are dropped; they own no connection, so nothing needs closing. */
  const queueOf = (merchantId: string): Queue => {
    const name = laneQueueName(merchantId);
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new Queue(name, { connection: redis, prefix, skipMetasUpdate: true }, share);
      queue.on('error', () => undefined);
    } else queues.delete(name);
    queues.set(name, queue);
    if (queues.size > MAX_CACHED_QUEUES) {
      const oldest = queues.keys().next().value;
      if (oldest !== undefined) queues.delete(oldest);
    }
    return queue;
  };

  const add = async ({ merchantId, pointers, backlog }: WakeEntry): Promise<readonly Job[]> => {
    const room = Math.max(0, cap - (backlog - pointers.length));
    const fitting = pointers.slice(0, room);
    if (fitting.length === 0) return [];
    return await queueOf(merchantId).addBulk(
      fitting.map((pointer) => ({ name: pointer.type, data: pointer, opts: { jobId: `e-${pointer.mseq}` } })),
    );
  };

  return {
    async addPointers(entries) {
      const results = await Promise.allSettled(entries.map(add));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) trouble.failing(failed.reason);
      else trouble.ok();
    },
    async trim(merchantId, cursor) {
      const base = `${prefix}:${laneQueueName(merchantId)}:`;
      try {
        await redis.laneTrim(SUFFIXES.length, ...SUFFIXES.map((suffix) => base + suffix), cursor, base, 2 * cap);
        trouble.ok();
      } catch (error) {
        trouble.failing(error);
      }
    },
  };
}
