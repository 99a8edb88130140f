import type { Kysely } from 'kysely';
import { askForTokens, pauseDestination } from './quota-ledger.ts';
import { type Grant, holdMs } from './token-bucket.ts';
import type { Database } from '../core/database/tables.ts';
import type { DestinationLimits } from '../core/events/destination-limits.ts';
import type { Clock } from '../core/runtime/clock.ts';

/**
 * This process's share of the quotas. The ledger grants more than is needed where there is plenty, so that one transaction
 * serves many calls; what is left is used within a short term or given back with the next ask.
 *
 *   block: none ─► held (a grant with something to spare) ─► none (used, or given back: too old, a pause, stop)
 */
export interface Quota {
  /** Rejects when Postgres is away. */
  take(destination: string, need: number, turnAt: number | undefined): Promise<Grant>;
  /** Tokens of a grant that were not used; a negative count means that more calls were made than granted. */
  putBack(destination: string, tokens: number): void;
  /** For all workers: nothing before `until`. */
  pause(destination: string, until: number): Promise<void>;
  /** Gives everything back that is held. */
  release(): Promise<void>;
}

interface Block {
  /** Negative when more calls were made than were granted. */
  tokens: number;
  until: number;
  /** Asks of this process go one after the other, so that one grant can serve those behind it. */
  queue: Promise<unknown>;
}

export function createQuota(options: {
  db: Kysely<Database>;
  limitsOf: (destination: string) => DestinationLimits;
  clock: Clock;
}): Quota {
  const { db, limitsOf, clock } = options;
  const blocks = new Map<string, Block>();

  const blockOf = (destination: string): Block => {
    const found = blocks.get(destination) ?? { tokens: 0, until: 0, queue: Promise.resolve() };
    blocks.set(destination, found);
    return found;
  };

  const ask = async (destination: string, block: Block, need: number, turnAt: number | undefined): Promise<Grant> => {
    const now = clock.now();
    if (block.tokens >= need && block.until > now) {
      block.tokens -= need;
      return { kind: 'granted', tokens: need };
    }
    const { quota } = limitsOf(destination);
    const returned = block.tokens;
    block.tokens = 0;
    let grant: Grant;
    try {
      const settled = { giveBack: Math.max(0, returned), owed: Math.max(0, -returned) };
      grant = await askForTokens(db, destination, quota, { now, need, turnAt, ...settled });
    } catch (error) {
      // Debts stay; what was held is lost, since nobody knows whether the transaction was committed.
      block.tokens += Math.min(0, returned);
      throw error;
    }
    if (grant.kind === 'wait') return grant;
    block.tokens += grant.tokens - need;
    block.until = now + holdMs(quota);
    return { kind: 'granted', tokens: need };
  };

  const inTurn = async <T>(block: Block, work: () => Promise<T>): Promise<T> => {
    const result = block.queue.then(work, work);
    block.queue = result.catch(() => undefined);
    return await result;
  };

  return {
    take(destination, need, turnAt) {
      const block = blockOf(destination);
      return inTurn(block, () => ask(destination, block, need, turnAt));
    },
    putBack(destination, tokens) {
      blockOf(destination).tokens += tokens;
    },
    async pause(destination, until) {
      const block = blockOf(destination);
      block.until = 0;
      await pauseDestination(db, destination, limitsOf(destination).quota, { now: clock.now(), until });
    },
    async release() {
      const held = [...blocks].filter(([, { tokens }]) => tokens !== 0);
      await Promise.all(
        held.map(([destination, block]) => {
          block.until = 0;
          return inTurn(block, () => ask(destination, block, 0, undefined));
        }),
      );
    },
  };
}
