import { Queue, Worker } from 'bullmq';
import { connectRedis } from '../../../core/clients/redis.ts';
import { type QueueRates, type QueueRun, queueRates } from './bullmq-unordered.ts';

/**
 * The usual advice for order per merchant: a queue and a worker at concurrency 1 for each. Queues share a connection;
 * workers share one for their commands and need one each to block on. They are connected before the clock starts.
 */
export async function runBullmqPerMerchant({ redisUrl, jobs }: Omit<QueueRun, 'concurrency'>): Promise<QueueRates> {
  const redis = connectRedis(redisUrl, 'bullmq-per-merchant');
  // A thousand workers wait for their Redis events on it.
  redis.setMaxListeners(0);
  await redis.flushall();
  const byMerchant = Map.groupBy(jobs, ({ merchantId }) => merchantId);
  const queues = new Map(
    [...byMerchant.keys()].map((merchantId) => [
      merchantId,
      new Queue(merchantId, {
        connection: redis,
        skipMetasUpdate: true,
        defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
      }),
    ]),
  );
  const startedAt = performance.now();
  await inBatches(jobs, 100, async (batch) => {
    const own = Map.groupBy(batch, ({ merchantId }) => merchantId);
    await Promise.all(
      [...own].map(async ([merchantId, mine]) => {
        await queues.get(merchantId)?.addBulk(mine.map(({ data }) => ({ name: 'event', data })));
      }),
    );
  });
  const enqueueMs = performance.now() - startedAt;

  let done = 0;
  const finished = Promise.withResolvers<undefined>();
  const workers = [...byMerchant.keys()].map((merchantId) => {
    const worker = new Worker(
      merchantId,
      () => {
        done += 1;
        if (done === jobs.length) finished.resolve(undefined);
        return Promise.resolve();
      },
      { connection: redis, concurrency: 1, autorun: false },
    );
    worker.on('error', (error) => finished.reject(error));
    return worker;
  });
  await inBatches(workers, 50, async (batch) => {
    await Promise.all(batch.map((worker) => worker.waitUntilReady()));
  });
  const drainedFrom = performance.now();
  const running = workers.map((worker) => worker.run());
  await finished.promise;
  const drainMs = performance.now() - drainedFrom;
  await inBatches(workers, 50, async (batch) => {
    await Promise.all(batch.map((worker) => worker.close(true)));
  });
  await Promise.all(running);
  await Promise.all([...queues.values()].map((queue) => queue.close()));
  redis.disconnect();
  return queueRates(jobs.length, enqueueMs, drainMs);
}

async function inBatches<T>(items: readonly T[], size: number, work: (batch: readonly T[]) => Promise<void>) {
  for (let at = 0; at < items.length; at += size) await work(items.slice(at, at + size));
}
