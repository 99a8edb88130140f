import { Queue, Worker } from 'groupmq';
import { connectRedis } from '../../../core/clients/redis.ts';
import { type QueueRates, type QueueRun, queueRates } from './bullmq-unordered.ts';

interface Ordered {
  merchantId: string;
  turn: number;
}

/**
 * GroupMQ with a group for every merchant. Its own batching of adds is on, as its manual advises for many jobs, and its
 * clean-up, which walks what has expired, is off while the clock runs.
 */
export async function runGroupmq({ redisUrl, jobs, concurrency }: QueueRun): Promise<QueueRates> {
  const redis = connectRedis(redisUrl, 'groupmq');
  await redis.flushall();
  const queue = new Queue<Ordered & { data: object }>({
    redis,
    namespace: 'ordered',
    autoBatch: { size: 100, maxWaitMs: 5 },
    keepCompleted: 0,
    reserveScanLimit: 100,
  });
  const turns = new Map<string, number>();
  const startedAt = performance.now();
  await Promise.all(
    jobs.map(({ merchantId, data }) => {
      const turn = (turns.get(merchantId) ?? 0) + 1;
      turns.set(merchantId, turn);
      return queue.add({ groupId: merchantId, data: { merchantId, turn, data }, orderMs: turn });
    }),
  );
  const enqueueMs = performance.now() - startedAt;

  const seen = new Map<string, number>();
  let done = 0;
  let inversions = 0;
  const finished = Promise.withResolvers<undefined>();
  const worker = new Worker<Ordered & { data: object }>({
    queue,
    concurrency,
    enableCleanup: false,
    handler: ({ data: { merchantId, turn } }) => {
      if (turn !== (seen.get(merchantId) ?? 0) + 1) inversions += 1;
      seen.set(merchantId, turn);
      done += 1;
      if (done === jobs.length) finished.resolve(undefined);
      return Promise.resolve();
    },
  });
  worker.on('error', (error) => finished.reject(error));
  const drainedFrom = performance.now();
  const running = worker.run();
  await finished.promise;
  const drainMs = performance.now() - drainedFrom;
  await worker.close();
  await running;
  await queue.close();
  redis.disconnect();
  if (inversions > 0) throw new Error(`wrong result, so no figure: GroupMQ ran ${inversions} jobs out of order`);
  return queueRates(jobs.length, enqueueMs, drainMs);
}
