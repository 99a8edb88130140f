import { Queue, Worker } from 'bullmq';
import { connectRedis } from '../../../core/clients/redis.ts';

/** Jobs are removed when they are done, as the lanes' pointers are: a finished set that grows would slow it down. */
const jobOptions = { removeOnComplete: true, removeOnFail: true };
const bulk = 100;

export interface QueueRun {
  redisUrl: string;
  jobs: readonly { merchantId: string; data: object }[];
  concurrency: number;
}

export interface QueueRates {
  enqueue: number;
  drain: number;
  /** Jobs per second over both phases together. */
  both: number;
}

export const queueRates = (jobs: number, enqueueMs: number, drainMs: number): QueueRates => ({
  enqueue: (jobs / enqueueMs) * 1_000,
  drain: (jobs / drainMs) * 1_000,
  both: (jobs / (enqueueMs + drainMs)) * 1_000,
});

/** One BullMQ queue for everybody and a processor that does nothing: what BullMQ does at most when nobody asks for order. */
export async function runBullmqUnordered({ redisUrl, jobs, concurrency }: QueueRun): Promise<QueueRates> {
  const redis = connectRedis(redisUrl, 'bullmq-unordered');
  await redis.flushall();
  const queue = new Queue('unordered', { connection: redis, defaultJobOptions: jobOptions });
  const startedAt = performance.now();
  for (let at = 0; at < jobs.length; at += bulk)
    await queue.addBulk(jobs.slice(at, at + bulk).map(({ data }) => ({ name: 'event', data })));
  const enqueueMs = performance.now() - startedAt;

  let done = 0;
  const finished = Promise.withResolvers<undefined>();
  const worker = new Worker(
    'unordered',
    () => {
      done += 1;
      if (done === jobs.length) finished.resolve(undefined);
      return Promise.resolve();
    },
    { connection: redis, concurrency, autorun: false },
  );
  worker.on('error', (error) => finished.reject(error));
  await worker.waitUntilReady();
  const drainedFrom = performance.now();
  const running = worker.run();
  await finished.promise;
  const drainMs = performance.now() - drainedFrom;
  await worker.close();
  await running;
  await queue.close();
  redis.disconnect();
  return queueRates(jobs.length, enqueueMs, drainMs);
}

/** Adding alone, into one queue, `inFlight` batches of 100 at a time. Returns jobs per second. */
export async function runBullmqAddBulk({ redisUrl, jobs, concurrency: inFlight }: QueueRun): Promise<number> {
  const redis = connectRedis(redisUrl, 'bullmq-add-bulk');
  await redis.flushall();
  const queue = new Queue('unordered', { connection: redis, defaultJobOptions: jobOptions });
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < jobs.length) {
        const batch = jobs.slice(next, next + bulk);
        next += bulk;
        await queue.addBulk(batch.map(({ data }) => ({ name: 'event', data })));
      }
    }),
  );
  const rate = (jobs.length / (performance.now() - startedAt)) * 1_000;
  const waiting = await queue.getWaitingCount();
  await queue.close();
  redis.disconnect();
  if (waiting !== jobs.length) throw new Error(`wrong result, so no figure: ${waiting} of ${jobs.length} jobs wait`);
  return rate;
}
