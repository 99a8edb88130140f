import { Queue, Worker } from 'bullmq';
import { connectRedis } from '../../core/clients/redis.ts';
import { encodeMerchant } from '../../core/runtime/ids.ts';
import type { LoadEvent } from '../load/load-event.ts';
import type { Commit, Effect, End, History } from './history.ts';
import { expectedEvents, expectedHandlers } from './read-history.ts';
import { chaosRegistry } from './registry.ts';
import { type Trouble, troubleOf } from './trouble.ts';

/**
 * The same load on stock BullMQ as its documentation suggests it for order: a queue for each merchant and a worker for each
 * queue with concurrency 1, four attempts, exponential backoff. A job is one event at one handler, so that handlers fail
 * apart; an effect "commits" when its processor returns.
 *
 * It gets the better deal: events arrive in order and once, nothing is killed, and its failures are those of handlers only.
 */
export async function runOnBullmq(loads: readonly LoadEvent[], redisUrl: string): Promise<History> {
  const redis = connectRedis(redisUrl, 'chaos-bullmq');
  const handlers = expectedHandlers(chaosRegistry);
  const sent = expectedEvents(loads, chaosRegistry);
  const payloads = new Map(loads.map(({ event }) => [event.eventId, event.payload]));
  const effects: Effect[] = [];
  const ends: End[] = [];
  const commits: Commit[] = [];
  const spoilt = new Map<string, number>();
  let open = sent.reduce((sum, { handlers: own }) => sum + own.length, 0);
  const finished = Promise.withResolvers<void>();

  const end = (pair: Pair, outcome: 'done' | 'dead') => {
    const seq = commits.length + 1;
    const row = { ...pair, seq, transaction: String(seq) };
    const atMs = performance.timeOrigin + performance.now();
    commits.push({
      seq,
      merchantId: pair.merchantId,
      owner: 'w',
      worker: 'w',
      cursor: 0,
      transaction: row.transaction,
      atMs,
    });
    ends.push({ ...row, outcome, reason: outcome === 'done' ? null : 'handler.failed' });
    if (outcome === 'done') effects.push({ ...row, atMs });
    open -= 1;
    if (open === 0) finished.resolve();
  };

  const numbers = numbered(sent);
  const merchants = [...new Set(sent.map(({ merchantId }) => merchantId))];
  const own = merchants.map((merchantId) => {
    const name = `stock-${encodeMerchant(merchantId)}`;
    const queue = new Queue<Pair>(name, { connection: redis });
    const worker = new Worker<Pair>(
      name,
      async ({ data }) => {
        const trouble = troubleOf(payloads.get(data.eventId), data.handler);
        if (trouble !== undefined) await suffer(trouble, `${data.eventId} ${data.handler}`, spoilt);
        end(data, 'done');
      },
      { connection: redis, concurrency: 1, drainDelay: 1 },
    );
    worker.on('error', () => undefined);
    worker.on('failed', (job) => {
      if (job !== undefined && job.attemptsMade >= attempts) end(job.data, 'dead');
    });
    return { merchantId, queue, worker };
  });
  try {
    for (const { merchantId, queue } of own) {
      const pairs = sent
        .filter((event) => event.merchantId === merchantId)
        .flatMap(({ eventId, handlers: names }) =>
          names.map((handler): Pair => ({ handler, merchantId, eventId, mseq: numbers.get(eventId) ?? 0 })),
        );
      await queue.addBulk(
        pairs.map((data) => ({
          name: data.handler,
          data,
          opts: { attempts, backoff: { type: 'exponential', delay: 150 } },
        })),
      );
    }
    await finished.promise;
  } finally {
    await Promise.all(own.map(({ worker }) => worker.close(true)));
    await Promise.all(own.map(({ queue }) => queue.close()));
    redis.disconnect();
  }
  const accepted = sent.map(({ merchantId, eventId }) => ({
    ...{ merchantId, eventId, mseq: numbers.get(eventId) ?? 0 },
    atMs: 0,
  }));
  return {
    handlers,
    sent,
    accepted,
    effects,
    ends,
    commits,
    open: [],
    deadLetters: [],
    redriven: new Set(),
    faults: [],
  };
}

interface Pair {
  handler: string;
  merchantId: string;
  eventId: string;
  mseq: number;
}

const attempts = 4;

/** By event id: each merchant's events from 1 on. */
function numbered(sent: History['sent']): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const own of Map.groupBy(sent, ({ merchantId }) => merchantId).values()) {
    for (const [index, { eventId }] of own.entries()) numbers.set(eventId, index + 1);
  }
  return numbers;
}

/** As BullMQ would have it: asking to come back later is a failure too, and a death is none of this comparison's. */
async function suffer(trouble: Trouble, pair: string, spoilt: Map<string, number>): Promise<void> {
  const spoil = (times: number): boolean => {
    const before = spoilt.get(pair) ?? 0;
    spoilt.set(pair, before + 1);
    return before < times;
  };
  switch (trouble.kind) {
    case 'fail':
    case 'snooze':
      if (spoil(trouble.times)) throw new Error(`planned failure of ${pair}`);
      return;
    case 'poison':
      throw new Error(`planned poison ${pair}`);
    case 'slow':
      await new Promise((resolve) => setTimeout(resolve, trouble.ms));
      return;
    case 'die':
    case 'stuck':
      return;
    default:
      trouble satisfies never;
  }
}
