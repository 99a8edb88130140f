import type { ChainableCommander, Redis } from 'ioredis';
import { z } from 'zod';
import { roomFor } from './lane-room.ts';
import type { WakeEntry } from './wake-entries.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { laneQueueName } from '../core/runtime/queue-names.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/**
 * A lane is a merchant's own BullMQ queue of pointers `{ mseq, type, correlationId }`: what is pending and how much, for
 * people to see. It decides nothing. Order, existence and completion are read from Postgres, so pointers may be missing,
 * late or out of order without harm, and every failure here is only logged.
 *
 * Pointers are laid out as BullMQ lays out waiting jobs, by scripts that take all pointers of a merchant at once; nothing
 * ever takes a job from a lane, so that it needs no marker, no event stream and no connection of its own.
 */
export interface Lanes {
  /** Adds pointers where the lane is below its cap; what is beyond it waits in the inbox only. */
  addPointers(entries: readonly WakeEntry[]): Promise<void>;
  /** Removes every pointer up to the cursors, and what remains of a lane when nothing is left. */
  trim(lanes: readonly { merchantId: string; cursor: number }[]): Promise<void>;
  /** The oldest pointers of each lane, in the order of the merchants given. Rejects when Redis refuses. */
  peek(merchantIds: readonly string[], count: number): Promise<readonly Pointer[][]>;
}

export type Pointer = WakeEntry['pointers'][number];

/**
 * KEYS: wait. ARGV: key prefix, cap, now, then for each pointer: id, name, data. A pointer that is there already is left.
 */
const ADD = `
local room = tonumber(ARGV[2]) - redis.call('LLEN', KEYS[1])
local added = {}
for i = 4, #ARGV, 3 do
  if room <= 0 then break end
  local job = ARGV[1] .. ARGV[i]
  if redis.call('HSETNX', job, 'name', ARGV[i + 1]) == 1 then
    redis.call('HSET', job, 'data', ARGV[i + 2], 'opts', '{}', 'timestamp', ARGV[3], 'delay', 0, 'priority', 0)
    added[#added + 1] = ARGV[i]
    room = room - 1
  end
end
if #added > 0 then redis.call('LPUSH', KEYS[1], unpack(added)) end
return #added
`;

/**
 * Pops from the old end while the pointer lies at or below the cursor. By comparison, not by id: a pointer that was added
 * late then goes with a later trim instead of jamming this one.
 * KEYS: wait. ARGV: cursor, key prefix, bound.
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
if redis.call('EXISTS', KEYS[1]) == 0 then
  local p = ARGV[2]
  if redis.call('EXISTS', p .. 'active', p .. 'delayed', p .. 'prioritized', p .. 'failed') == 0 then
    redis.call('UNLINK', p .. 'meta', p .. 'id', p .. 'marker', p .. 'events', p .. 'pc')
  end
end
return removed
`;

/** KEYS: wait. ARGV: key prefix, count. The data of the oldest, oldest first. */
const PEEK = `
local ids = redis.call('LRANGE', KEYS[1], -tonumber(ARGV[2]), -1)
local head = {}
for i = #ids, 1, -1 do head[#head + 1] = redis.call('HGET', ARGV[1] .. ids[i], 'data') end
return head
`;

/** One call's worth of pointers: a script's arguments go through its stack. */
const MAX_PER_CALL = 500;

interface LanePipeline extends ChainableCommander {
  laneAdd(keyCount: number, ...args: (string | number)[]): this;
  laneTrim(keyCount: number, ...args: (string | number)[]): this;
  lanePeek(keyCount: number, ...args: (string | number)[]): this;
}

const pointerSchema = z.object({ mseq: z.number(), type: z.string(), correlationId: z.string() });
const headSchema = z.array(z.string().transform((json): Pointer => pointerSchema.parse(JSON.parse(json))));

export function createLanes(options: {
  redis: Redis;
  prefix: string;
  /** Pointers that one lane may hold. */
  cap: number;
  /** Used part of Redis' memory, which all lanes together must not fill; undefined where it has no limit. */
  memoryShare?: () => number | undefined;
  clock: Clock;
  log: Log;
}): Lanes {
  const { redis, prefix, cap, clock, memoryShare = () => undefined } = options;
  redis.defineCommand('laneAdd', { lua: ADD });
  redis.defineCommand('laneTrim', { lua: TRIM });
  redis.defineCommand('lanePeek', { lua: PEEK });
  const trouble = onceWhileFailing(options.log, 'lane pointers in Redis');
  const baseOf = (merchantId: string): string => `${prefix}:${laneQueueName(merchantId)}:`;

  /** All calls in one round trip. A pipeline is no transaction: each lane's call stands for itself. */
  const call = async (fill: (pipeline: LanePipeline) => void): Promise<unknown[]> => {
    // defineCommand adds the methods at run time; the cast names what it added.
    const pipeline = redis.pipeline() as LanePipeline;
    fill(pipeline);
    const results = (await pipeline.exec()) ?? [];
    const failed = results.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    return results.map(([, result]) => result);
  };
  const tryTo = async (fill: (pipeline: LanePipeline) => void): Promise<void> => {
    try {
      await call(fill);
      trouble.ok();
    } catch (error) {
      trouble.failing(error);
    }
  };

  return {
    async addPointers(entries) {
      const now = clock.now();
      await tryTo((pipeline) => {
        for (const { merchantId, pointers, backlog } of entries) {
          const adding = pointers.length;
          const room = Math.min(MAX_PER_CALL, roomFor({ backlog, adding, cap, memoryShare: memoryShare() }));
          if (room === 0) continue;
          const base = baseOf(merchantId);
          const args = pointers
            .slice(0, room)
            .flatMap((pointer) => [`e-${pointer.mseq}`, pointer.type, JSON.stringify(pointer)]);
          pipeline.laneAdd(1, `${base}wait`, base, cap, now, ...args);
        }
      });
    },
    async trim(lanes) {
      await tryTo((pipeline) => {
        for (const { merchantId, cursor } of lanes) {
          const base = baseOf(merchantId);
          pipeline.laneTrim(1, `${base}wait`, cursor, base, 2 * cap);
        }
      });
    },
    async peek(merchantIds, count) {
      const heads = await call((pipeline) => {
        for (const base of merchantIds.map(baseOf)) pipeline.lanePeek(1, `${base}wait`, base, count);
      });
      return heads.map((head) => headSchema.parse(head));
    },
  };
}
