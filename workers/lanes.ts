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
  /** Removes every pointer up to the cursors. A lane of which none is left has no key. */
  trim(lanes: readonly { merchantId: string; cursor: number }[]): Promise<void>;
  /** The oldest pointers of each lane, in the order of the merchants given. Rejects when Redis refuses. */
  peek(merchantIds: readonly string[], count: number): Promise<readonly Pointer[][]>;
}

export type Pointer = WakeEntry['pointers'][number];

/**
 * KEYS: the wait lists. ARGV: cap, now, then for each list: key prefix, number of pointers, and for each of these: id, name,
 * data. A pointer that is there already stays in its place.
 */
const ADD = `
local cap, now, at = tonumber(ARGV[1]), ARGV[2], 3
for i = 1, #KEYS do
  local prefix, count = ARGV[at], tonumber(ARGV[at + 1])
  local room = cap - redis.call('LLEN', KEYS[i])
  local added = {}
  at = at + 2
  for n = at, at + 3 * (count - 1), 3 do
    if #added >= room then break end
    local job = prefix .. ARGV[n]
    local fields = redis.call('HSET', job, 'name', ARGV[n + 1], 'data', ARGV[n + 2], 'opts', '{}', 'timestamp', now,
      'delay', 0, 'priority', 0)
    if fields > 0 then added[#added + 1] = ARGV[n] end
  end
  at = at + 3 * count
  if #added > 0 then redis.call('LPUSH', KEYS[i], unpack(added)) end
end
`;

/**
 * Takes away from the old end whatever lies at or below the cursor. By comparison, not by id: a pointer that was added late
 * then goes with a later trim instead of jamming this one.
 * KEYS: the wait lists. ARGV: bound, then for each list: key prefix, cursor.
 */
const TRIM = `
local bound = tonumber(ARGV[1])
for i = 1, #KEYS do
  local prefix, cursor = ARGV[2 * i], tonumber(ARGV[2 * i + 1])
  local left = bound
  while left > 0 do
    local ids = redis.call('LRANGE', KEYS[i], -math.min(left, 100), -1)
    local gone = {}
    for n = #ids, 1, -1 do
      local mseq = tonumber(string.match(ids[n], '^e%-(%d+)$'))
      if mseq and mseq > cursor then break end
      gone[#gone + 1] = prefix .. ids[n]
    end
    if #gone > 0 then
      redis.call('LTRIM', KEYS[i], 0, -#gone - 1)
      redis.call('UNLINK', unpack(gone))
    end
    if #gone < 100 then break end
    left = left - #gone
  end
end
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

/** A script, the number of its keys, its keys, and what else it is given. */
type LaneCall = readonly ['laneAdd' | 'laneTrim' | 'lanePeek', keyCount: number, ...args: (string | number)[]];

type LaneScripts = Record<LaneCall[0], (keyCount: number, ...args: readonly (string | number)[]) => unknown>;

/** `defineCommand` adds the methods at run time; the cast names what it added. */
const sendTo = (redis: Redis | ChainableCommander, [name, ...args]: LaneCall): unknown =>
  (redis as unknown as LaneScripts)[name](...args);

const pointerSchema = z.object({ mseq: z.number(), type: z.string(), correlationId: z.string() });
const headSchema = z.array(z.string().transform((json): Pointer => pointerSchema.parse(JSON.parse(json))));

/** Lanes in groups, each small enough in lanes and pointers for one call. */
function* inCalls<L extends { pointers: readonly unknown[] }>(lanes: readonly L[], most: number): Generator<L[]> {
  let call: L[] = [];
  let pointers = 0;
  for (const lane of lanes) {
    if (call.length > 0 && (call.length >= most || pointers + lane.pointers.length > MAX_PER_CALL)) {
      yield call;
      call = [];
      pointers = 0;
    }
    call.push(lane);
    pointers += lane.pointers.length;
  }
  if (call.length > 0) yield call;
}

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
  // The keys of one call must lie in one slot, and in a cluster every lane has its own.
  const lanesPerCall = redis.isCluster ? 1 : 200;
  const trouble = onceWhileFailing(options.log, 'lane pointers in Redis');
  const baseOf = (merchantId: string): string => `${prefix}:${laneQueueName(merchantId)}:`;

  /**
   * All calls in one round trip; each lane's call stands for itself. A pipeline is made for several calls only: it takes a
   * method for every command there is, which costs more than sending one.
   */
  const run = async (calls: readonly LaneCall[]): Promise<unknown[]> => {
    const [first] = calls;
    if (first === undefined) return [];
    if (calls.length === 1) return [await sendTo(redis, first)];
    const pipeline = redis.pipeline();
    for (const call of calls) void sendTo(pipeline, call);
    const results = (await pipeline.exec()) ?? [];
    const failed = results.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    return results.map(([, result]) => result);
  };
  const tryTo = async (calls: readonly LaneCall[]): Promise<void> => {
    try {
      await run(calls);
      trouble.ok();
    } catch (error) {
      trouble.failing(error);
    }
  };

  return {
    async addPointers(entries) {
      const now = clock.now();
      const fitting = entries.flatMap(({ merchantId, pointers, backlog }) => {
        const room = roomFor({ backlog, adding: pointers.length, cap, memoryShare: memoryShare() });
        return room === 0
          ? []
          : [{ base: baseOf(merchantId), pointers: pointers.slice(0, Math.min(MAX_PER_CALL, room)) }];
      });
      await tryTo(
        [...inCalls(fitting, lanesPerCall)].map((some): LaneCall => {
          const args = some.flatMap(({ base, pointers }) => [
            base,
            pointers.length,
            ...pointers.flatMap((pointer) => [`e-${pointer.mseq}`, pointer.type, JSON.stringify(pointer)]),
          ]);
          return ['laneAdd', some.length, ...some.map(({ base }) => `${base}wait`), cap, now, ...args];
        }),
      );
    },
    async trim(lanes) {
      const calls: LaneCall[] = [];
      for (let from = 0; from < lanes.length; from += lanesPerCall) {
        const some = lanes.slice(from, from + lanesPerCall);
        const bases = some.map(({ merchantId }) => baseOf(merchantId));
        const args = some.flatMap(({ cursor }, i) => [bases[i] ?? '', cursor]);
        calls.push(['laneTrim', some.length, ...bases.map((base) => `${base}wait`), 2 * cap, ...args]);
      }
      await tryTo(calls);
    },
    async peek(merchantIds, count) {
      const heads = await run(
        merchantIds.map(baseOf).map((base): LaneCall => ['lanePeek', 1, `${base}wait`, base, count]),
      );
      return heads.map((head) => headSchema.parse(head));
    },
  };
}
