import type { Redis } from 'ioredis';
import { type ActivationQueue, createActivationQueue } from './activation-queue.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { shardOf } from '../core/runtime/ids.ts';
import { activationQueueName } from '../core/runtime/queue-names.ts';

/** Wakes merchants: at most one activation of a merchant waits or runs, and one asked for meanwhile follows it. */
export interface Activations {
  /** Rejects when Redis refuses; the caller then must not acknowledge what it wakes for. */
  wake(merchantIds: readonly string[]): Promise<void>;
  /** The same for merchants that have something due: it ends a suspension that is not about to end. */
  rouse(merchantIds: readonly string[]): Promise<void>;
  readonly queues: readonly ActivationQueue[];
  close(): Promise<void>;
}

/** What ends this soon is left to end: where a server is away, it is the back-off that would be given up. */
const ABOUT_TO_END_MS = 10_000;

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
  const add = async (merchantIds: readonly string[], endsAfterMs?: number): Promise<void> => {
    const byPartition = Map.groupBy(new Set(merchantIds), (merchantId) => shardOf(merchantId, queues.length));
    await Promise.all(
      [...byPartition].map(async ([partition, merchants]) =>
        queues[partition]?.add(merchants, options.clock.now(), endsAfterMs),
      ),
    );
  };
  return {
    queues,
    wake: (merchantIds) => add(merchantIds),
    rouse: (merchantIds) => add(merchantIds, options.clock.now() + ABOUT_TO_END_MS),
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
