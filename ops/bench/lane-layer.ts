import { type Job, Queue, type RedisQueueBackend, Worker, createRedisBackend } from 'bullmq';
import { connectRedis } from '../../core/clients/redis.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { activationQueueName, laneQueueName } from '../../core/runtime/queue-names.ts';
import { type ActivationData, createActivations } from '../../workers/activate.ts';
import { activationWorkerOptions } from '../../workers/activation-worker.ts';
import { createLanes } from '../../workers/lanes.ts';
import { type QueueRates, type QueueRun, queueRates } from './peers/bullmq-unordered.ts';

const prefix = 'bench';
const acceptedAtOnce = 100;
const windowEvents = 50;
const leaseMs = 30_000;

/**
 * What the product does in Redis, without Postgres: pointers and activations in, then for each activation the head of the
 * lane is read and trimmed, window by window, by as many actors as `concurrency` says.
 */
export async function runLaneLayer({ redisUrl, jobs, concurrency }: QueueRun): Promise<QueueRates> {
  const redis = connectRedis(redisUrl, 'lane-layer');
  await redis.flushall();
  const lanes = createLanes({ redis, prefix, cap: 1_000, log: silentLog });
  const activations = createActivations({ redis, prefix, partitions: 1 });
  const turns = new Map<string, number>();
  const startedAt = performance.now();
  for (let at = 0; at < jobs.length; at += acceptedAtOnce) {
    const byMerchant = Map.groupBy(jobs.slice(at, at + acceptedAtOnce), ({ merchantId }) => merchantId);
    const entries = [...byMerchant].map(([merchantId, own]) => {
      const first = (turns.get(merchantId) ?? 0) + 1;
      turns.set(merchantId, first + own.length - 1);
      const pointers = own.map((_, i) => ({ mseq: first + i, type: 'event', correlationId: `c-${first + i}` }));
      return { merchantId, pointers, backlog: first + own.length - 1 };
    });
    await lanes.addPointers(entries);
    await activations.wake(entries.map(({ merchantId }) => merchantId));
  }
  const enqueueMs = performance.now() - startedAt;

  const readHead = createHeadReader(redis);
  const reached = new Map<string, number>();
  let done = 0;
  let inversions = 0;
  const finished = Promise.withResolvers<undefined>();
  const worker = new Worker<ActivationData>(
    activationQueueName(0),
    async ({ data: { merchantId } }) => {
      for (let read = windowEvents; read === windowEvents;) {
        const head = await readHead(merchantId);
        read = head.length;
        for (const mseq of head) {
          if (mseq !== (reached.get(merchantId) ?? 0) + 1) inversions += 1;
          reached.set(merchantId, mseq);
        }
        await lanes.trim(merchantId, reached.get(merchantId) ?? 0);
        done += read;
        if (done === jobs.length) finished.resolve(undefined);
      }
    },
    { ...activationWorkerOptions({ redis, prefix, concurrency, leaseMs }), autorun: false },
  );
  worker.on('error', (error) => finished.reject(error));
  await worker.waitUntilReady();
  const drainedFrom = performance.now();
  const running = worker.run();
  await finished.promise;
  const drainMs = performance.now() - drainedFrom;
  await worker.close();
  await running;
  const left = await redis.keys(`${prefix}:lane-*`);
  await activations.close();
  redis.disconnect();
  if (inversions > 0 || left.length > 0)
    throw new Error(`wrong result, so no figure: ${inversions} out of order, ${left.length} keys of lanes left`);
  return queueRates(jobs.length, enqueueMs, drainMs);
}

/** The mseq numbers of the next window, read as BullMQ jobs over the one shared connection. */
function createHeadReader(redis: ReturnType<typeof connectRedis>) {
  const root = createRedisBackend('lanes', { connection: redis });
  root.on('error', () => undefined);
  // Redis in, Redis out: a sibling of this backend is one of the same kind, which its type does not say.
  const share = (name: string) => root.forQueue(name, prefix) as RedisQueueBackend;
  const queues = new Map<string, Queue>();
  return async (merchantId: string): Promise<number[]> => {
    const name = laneQueueName(merchantId);
    const queue = queues.get(name) ?? new Queue(name, { connection: redis, prefix, skipMetasUpdate: true }, share);
    queues.set(name, queue);
    const jobs: Job<{ mseq: number }>[] = await queue.getJobs(['wait'], 0, windowEvents - 1, true);
    return jobs.map((job) => job.data.mseq);
  };
}
