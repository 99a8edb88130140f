import type { Redis } from 'ioredis';
import { z } from 'zod';
import { onceWhileFailing, type Log } from '../core/runtime/log.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { inHandKey } from '../core/runtime/queue-names.ts';

/** An event and the handler that runs it. */
export interface Pair {
  mseq: number;
  handler: string;
}

/**
 * What a careful visit has in hand: noted before each handler runs, so that whoever comes after a death of the process knows
 * which pair it was. It lies in Redis, since a note is needed for each pair, of which a commit each would cost a visit more
 * than its work. A note that Redis loses, or cannot take, leaves one death uncounted; what was counted stands in Postgres.
 *
 * None of these reject: a lane is not held up for want of a note.
 */
export interface InHand {
  note(merchantId: string, pair: Pair): Promise<void>;
  /** Answers with what the last visit had in hand when it died, once. */
  take(merchantId: string): Promise<Pair | undefined>;
  /** The visit ended, and whatever it ran did not kill it. */
  clear(merchantId: string): Promise<void>;
}

const pairSchema = z.object({ mseq: z.int().min(1), handler: z.string() });

/** Longer than any visit, and than it takes to find out that a process died. */
const KEPT_MS = 3_600_000;
const DEADLINE_MS = 1_000;

export function createInHand({ redis, prefix, log }: { redis: Redis; prefix: string; log: Log }): InHand {
  const trouble = onceWhileFailing(log, 'noting what may kill a process');
  const ask = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      const answer = await withDeadline(what, DEADLINE_MS, work);
      trouble.ok();
      return answer;
    } catch (error) {
      trouble.failing(error);
      return undefined;
    }
  };
  return {
    async note(merchantId, { mseq, handler }) {
      const value = JSON.stringify({ mseq, handler });
      await ask('noting what is in hand', () => redis.set(inHandKey(prefix, merchantId), value, 'PX', KEPT_MS));
    },
    take: (merchantId) =>
      ask('reading what was in hand', async () => {
        const value = await redis.getdel(inHandKey(prefix, merchantId));
        return value === null ? undefined : pairSchema.parse(JSON.parse(value));
      }),
    async clear(merchantId) {
      await ask('clearing what was in hand', () => redis.del(inHandKey(prefix, merchantId)));
    },
  };
}
