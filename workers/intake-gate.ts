import type { Kysely } from 'kysely';
import type { Redis } from 'ioredis';
import { readCurrentMaintenance } from '../core/contexts/platform/reads.ts';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import type { Log } from '../core/runtime/log.ts';

/**
 * Says whether new messages may be taken from SQS. They may not during maintenance, nor while Postgres or Redis is away, nor
 * while Redis is above 60 % of its memory: a Redis that refuses writes can no longer be drained either, so intake must stop
 * well before that. Messages that are not taken are safe where they are; processing goes on.
 *
 * open ─► closed(reason) ─► open, each change logged once.
 */
export interface IntakeGate {
  readonly open: boolean;
  readonly reason: string | undefined;
  /** Used part of Redis' memory at the last check; undefined when it has no limit, or could not be asked. */
  readonly memoryShare: number | undefined;
  check(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const EVERY_MS = 2_000;
const DEADLINE_MS = 3_000;
const MEMORY_SHARE = 0.6;

export function createIntakeGate(options: { db: Kysely<Database>; redis: Redis; clock: Clock; log: Log }): IntakeGate {
  const { db, redis, clock, log } = options;
  const stopping = new AbortController();
  let reason: string | undefined;
  let memoryShare: number | undefined;
  let loop: Promise<void> = Promise.resolve();

  const findReason = async (): Promise<string | undefined> => {
    try {
      const maintenance = await withDeadline('Postgres', DEADLINE_MS, () => readCurrentMaintenance(db, clock.now()));
      if (maintenance !== undefined)
        return `maintenance ${maintenance.windowId} until ${maintenance.endsAt.toISOString()}: ${maintenance.reason}`;
    } catch (error) {
      return `Postgres: ${error instanceof Error ? error.message : String(error)}`;
    }
    try {
      const info = await withDeadline('Redis', DEADLINE_MS, () => redis.info('memory'));
      const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
      const max = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
      memoryShare = max > 0 ? used / max : undefined;
      if (memoryShare !== undefined && memoryShare > MEMORY_SHARE)
        return `Redis uses ${Math.round(100 * memoryShare)} % of its memory, intake stops at ${100 * MEMORY_SHARE} %`;
    } catch (error) {
      memoryShare = undefined;
      return `Redis: ${error instanceof Error ? error.message : String(error)}`;
    }
    return undefined;
  };

  const check = async () => {
    const found = await findReason();
    if (found !== undefined && reason === undefined) log.warn('intake stopped', { reason: found });
    if (found === undefined && reason !== undefined) log.info('intake goes on', { after: reason });
    reason = found;
  };

  return {
    get open() {
      return reason === undefined;
    },
    get reason() {
      return reason;
    },
    get memoryShare() {
      return memoryShare;
    },
    check,
    start() {
      loop = (async () => {
        while (!stopping.signal.aborted) {
          await check();
          await clock.sleep(EVERY_MS, stopping.signal);
        }
      })();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}
