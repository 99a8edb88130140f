import type { Redis } from 'ioredis';
import { type ActivationQueue, createActivationQueue } from './activation-queue.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { shardOf } from '../core/runtime/ids.ts';
import { activationQueueName } from '../core/runtime/queue-names.ts';

/** Wakes merchants: at most one activation of a merchant waits or runs, and one asked for meanwhile follows it. */
export interface Activations {
  /** Rejects when Redis refuses; the caller then must not acknowledge what it wakes for. */
  wake(merchantIds: readonly string[]): Promise<void>;
  readonly queues: readonly ActivationQueue[];
  close(): Promise<void>;
}

export function createActivations(options: {
  redis: Redis;
  prefix: string;
  partitions: number;
  worker: string;
  leaseMs: number;
  clock: Clock;
}): Activations {
  const queues = Array.from({ length: options.partitions }, (_, partition) =>
    createActivationQueue({ ...options, name: activationQueueName(partition) }),
  );
  return {
    queues,
    async wake(merchantIds) {
      const byPartition = Map.groupBy(new Set(merchantIds), (merchantId) => shardOf(merchantId, queues.length));
      await Promise.all(
        [...byPartition].map(async ([partition, merchants]) => queues[partition]?.add(merchants, options.clock.now())),
      );
    },
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
