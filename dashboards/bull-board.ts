import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import { Queue, type RedisQueueBackend, createRedisBackend } from 'bullmq';
import { Hono } from 'hono';
import type { Redis } from 'ioredis';
import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { activationQueueName, bullPrefix, effectQueueName, laneQueueName } from '../core/runtime/queue-names.ts';
import { readBacklog, readHeldLanes } from './reads/lanes.ts';
import { remember } from './remember.ts';

/**
 * Bull Board over the activations, the effects and a handful of lanes. Its list costs 16 Redis commands per queue and
 * poll, so it never gets every merchant: it gets the lanes that are held, the longest ones, and those that somebody opened
 * by a link.
 *
 * A lane's jobs are pointers that nobody takes: retrying, promoting or removing one would change what people see and
 * nothing else, so lanes stay read-only whatever is configured.
 */
export interface BoardSources {
  db: Kysely<Database>;
  redis: Redis;
  clock: Clock;
  stack: string;
  partitions: number;
  /** Allows retrying activations, and nothing else. */
  writable: boolean;
}

export const BOARD_PATH = '/queues';
const LANES_SHOWN = 12;
const HELD_SHOWN = 6;
const OPENED_SHOWN = 4;
const REFRESH_MS = 10_000;
const DEADLINE_MS = 5_000;

/** Where a merchant's lane is seen on the board. */
export const lanePath = (merchantId: string): string =>
  `${BOARD_PATH}/queue/${encodeURIComponent(laneQueueName(merchantId))}`;

/** Of the states of an ioredis connection, those in which a command would wait for an unknown time. */
const AWAY = new Set<string>(['disconnecting', 'close', 'reconnecting', 'end']);
const LANE_NAME = /^lane-\{[A-Za-z0-9_.~-]{1,120}\}$/;
const RETRIES = ['/api/queues/:queueName/:jobId/retry', '/api/queues/:queueName/retry/:queueStatus'];

export function createBoard(sources: BoardSources): Hono {
  const { db, redis, clock, partitions, writable } = sources;
  const prefix = bullPrefix(sources.stack);
  const root = createRedisBackend('console', { connection: redis, skipVersionCheck: true });
  // Redis being away is told by the reads that fail; unheard, the event would end the process.
  root.on('error', () => undefined);
  // forQueue of a Redis backend gives a Redis backend; its declared type is only the interface.
  const share = (name: string) => root.forQueue(name, prefix) as RedisQueueBackend;
  const queueOf = (name: string): Queue => {
    // A console that looks must not write: without this, showing a lane would make a `meta` key for it.
    const queue = new Queue(name, { connection: redis, prefix, skipMetasUpdate: true }, share);
    queue.on('error', () => undefined);
    return queue;
  };
  const numbers = Array.from({ length: partitions }, (_, partition) => partition);
  const activations = numbers.map(
    (partition) =>
      new BullMQAdapter(queueOf(activationQueueName(partition)), {
        readOnlyMode: !writable,
        displayName: `activations ${partition}`,
        description: 'Merchants to look at: at most one activation of a merchant waits or runs.',
      }),
  );
  const activationNames = new Set(activations.map((adapter) => adapter.getName()));
  const effects = numbers.map(
    (partition) =>
      new BullMQAdapter(queueOf(effectQueueName(partition)), {
        readOnlyMode: true,
        displayName: `effects ${partition}`,
        description: 'Calls to outside systems that are due.',
      }),
  );

  let lanes = new Map<string, BullMQAdapter>();
  const opened = new Map<string, BullMQAdapter>();
  const laneOf = (name: string, description: string): BullMQAdapter =>
    lanes.get(name) ?? opened.get(name) ?? new BullMQAdapter(queueOf(name), { readOnlyMode: true, description });

  const server = new HonoAdapter(serveStatic).setBasePath(BOARD_PATH);
  const board = createBullBoard({
    queues: [...activations, ...effects],
    serverAdapter: server,
    options: {
      uiConfig: {
        boardTitle: 'Laneway queues',
        showWorkers: false,
        hideDocsLink: true,
        miscLinks: [
          { text: 'Overview', url: '/' },
          { text: 'Dead letters', url: '/dead-letters' },
        ],
      },
      handlerHooks: {
        // Bull Board knows read-only queues but not "retries only", and its pause-all would reach the activations.
        before: ({ method, route, request }) => {
          if (method === 'get') return { allow: true };
          const name: unknown = request.params['queueName'];
          const mayRetry = writable && RETRIES.includes(route) && typeof name === 'string' && activationNames.has(name);
          return mayRetry ? { allow: true } : { allow: false, status: 405, errorKey: 'ERRORS.QUEUE_READ_ONLY' };
        },
      },
    },
  });

  const show = () => {
    // Emptied first: replacing alone keeps the old order, and the longest lane should come first.
    board.replaceQueues([]);
    board.setQueues([...activations, ...effects, ...new Map([...opened, ...lanes]).values()]);
  };

  const refresh = remember(clock, REFRESH_MS, async () => {
    const [held, backlog] = await withDeadline('finding the busiest lanes', DEADLINE_MS, () =>
      Promise.all([readHeldLanes(db, HELD_SHOWN), readBacklog(db, LANES_SHOWN)]),
    );
    const chosen = [...held, ...backlog.busiest].map((lane) => lane.merchantId);
    lanes = new Map(
      [...new Set(chosen)].slice(0, LANES_SHOWN).map((merchantId) => {
        const name = laneQueueName(merchantId);
        return [name, laneOf(name, `Pointers to the pending events of ${merchantId}`)];
      }),
    );
    show();
  });

  const open = (name: string) => {
    if (!LANE_NAME.test(name) || lanes.has(name) || opened.has(name)) return;
    opened.set(name, laneOf(name, 'Opened by its link'));
    const oldest = opened.size > OPENED_SHOWN ? opened.keys().next().value : undefined;
    if (oldest !== undefined) opened.delete(oldest);
    show();
  };

  return new Hono()
    .use('/api/*', async (context, next) => {
      // Commands wait for a connection that is away; without an answer the page would hang.
      if (AWAY.has(redis.status)) return context.json({ error: 'Redis is not available' }, 503);
      // Without Postgres the lanes shown last stay.
      await refresh().catch(() => undefined);
      open(context.req.query('activeQueue') ?? '');
      try {
        await withDeadline('asking Redis', DEADLINE_MS, () => next());
      } catch {
        return context.json({ error: 'Redis does not answer' }, 503);
      }
      return undefined;
    })
    .route('/', server.registerPlugin());
}
