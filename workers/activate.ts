import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { encodeMerchant, newId, shardOf } from '../core/runtime/ids.ts';
import { activationQueueName } from '../core/runtime/queue-names.ts';

export interface ActivationData {
  merchantId: string;
}

/** Wakes merchants: at most one activation of a merchant waits or runs, and one asked for meanwhile follows it. */
export interface Activations {
  /** Rejects when Redis refuses; the caller then must not acknowledge what it wakes for. */
  wake(merchantIds: readonly string[]): Promise<void>;
  readonly queues: readonly Queue<ActivationData>[];
  close(): Promise<void>;
}

/**
 * The job id is always new: an id that exists makes BullMQ return before it looks at the deduplication, which loses the
 * wake-up, and its lock bookkeeping goes by id. `keepLastIfActive` is what keeps a wake-up that arrives during a run.
 */
const activationJob = (merchantId: string) => ({
  name: 'activate',
  data: { merchantId },
  opts: {
    jobId: `a-${newId()}`,
    deduplication: { id: encodeMerchant(merchantId), keepLastIfActive: true },
    removeOnComplete: true,
    removeOnFail: true,
  },
});

export function createActivations(options: { redis: Redis; prefix: string; partitions: number }): Activations {
  const queues = Array.from({ length: options.partitions }, (_, partition) => {
    const queue = new Queue<ActivationData>(activationQueueName(partition), {
      connection: options.redis,
      prefix: options.prefix,
      streams: { events: { maxLen: 1_000 } },
    });
    queue.on('error', () => undefined);
    return queue;
  });
  return {
    queues,
    async wake(merchantIds) {
      const byPartition = Map.groupBy(new Set(merchantIds), (merchantId) => shardOf(merchantId, queues.length));
      await Promise.all(
        [...byPartition].map(async ([partition, merchants]) => {
          await queues[partition]?.addBulk(merchants.map(activationJob));
        }),
      );
    },
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
