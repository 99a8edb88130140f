import type { WorkerOptions } from 'bullmq';
import type { Redis } from 'ioredis';

/** How BullMQ runs activations whose truth is in Postgres. */
export const activationWorkerOptions = (options: {
  redis: Redis;
  prefix: string;
  concurrency: number;
  leaseMs: number;
}): WorkerOptions => ({
  connection: options.redis,
  prefix: options.prefix,
  concurrency: Math.max(1, Math.ceil(options.concurrency)),
  lockDuration: options.leaseMs,
  // BullMQ renews by job id alone; the lease of a run renews its own (lease.ts).
  skipLockRenewal: true,
  // At BullMQ's own ratio of one, a dead worker's would wait for two leases.
  stalledInterval: Math.max(100, Math.floor(options.leaseMs / 10)),
  // A second death must not fail the activation and leave what it wakes asleep; deaths are counted in Postgres.
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
});
