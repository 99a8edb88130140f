import { busyShare, demand, keptDays, limits, prices, standstillSeconds } from './assumptions.ts';
import { rates } from './measured.ts';
import type { Sizes } from './measure-sizes.ts';

/** What a number of merchants asks of each store. */
export interface Scale {
  merchants: number;
  eventsPerSecond: number;
  peakPerSecond: number;
  /** Processors of Postgres and of workers together at the peak. */
  vcpus: number;
  postgresShards: number;
  postgresGb: number;
  redisPrimaries: number;
  activationPartitions: number;
  /** What waits after a standstill at the peak. */
  redisGb: number;
  fifoQueuesPerEvent: number;
  dynamoWritesPerSecond: number;
  dynamoReadsPerSecond: number;
  usdPerMonth: number;
  usdPerMillionEvents: number;
  /** How much of each limit of the production stack the peak takes, the fullest first; over 1 it breaks. */
  taken: readonly { what: string; share: number }[];
}

/** The production stack of ops/pulumi/sizes.ts, as far as it limits. */
export interface Capacity {
  writerVcpus: number;
  workerVcpus: number;
  cacheGb: number;
  /** What is there whatever the load: addresses, endpoints, balancers, alarms; dollars a month. */
  aroundMonth: number;
}

/** A pointer in a lane and its share of an activation: BullMQ's hash, its two list entries, a lock, a deduplication key. */
const REDIS_BYTES_PER_WAITING_EVENT = 420;
const HOURS_PER_MONTH = 730;
/** Split before one is the largest that there is: a failover of it would be felt by everybody. */
const SHARD_VCPUS = 64;
/** What can still be restored, or vacuumed, in a night. */
const SHARD_GB = 16_000;
const DEDUPE_DAYS = 90;
const DEDUPE_ITEM_BYTES = 250;

/** Processor seconds of an event: accepted, then worked as the only one of its lane. */
const coreSecondsPerEvent = 1 / rates.acceptedPerCoreAndSecond + 1 / rates.workedPerCoreAndSecond;
/** Of them about as much is Postgres' as workers': neither was measured apart. */
const POSTGRES_SHARE = 0.5;

export function computeScale(merchants: number, sizes: Sizes, capacity: Capacity): Scale {
  const eventsPerDay = merchants * demand.eventsPerMerchantAndDay;
  const eventsPerSecond = eventsPerDay / 86_400;
  const peakPerSecond = eventsPerSecond * demand.peakToAverage;
  const eventsPerMonth = (eventsPerDay * 365) / 12;
  const vcpus = (peakPerSecond * coreSecondsPerEvent) / busyShare;
  const writerVcpus = vcpus * POSTGRES_SHARE;
  const workerVcpus = vcpus * (1 - POSTGRES_SHARE);
  const postgresGb =
    (eventsPerDay * keptDays * sizes.postgresBytesPerEvent + merchants * sizes.postgresBytesPerMerchant) / 1e9;
  const redisBusy = (peakPerSecond * rates.redisMicrosPerActivation) / 1e6;
  const redisGb = (peakPerSecond * standstillSeconds * REDIS_BYTES_PER_WAITING_EVENT) / 1e9;
  const redisPrimaries = Math.max(1, Math.ceil(redisBusy / busyShare));
  const requestsPerEvent = (3 / demand.messagesPerRequest) * (1 + demand.emittedPerEvent);
  const postgresShards = Math.max(1, Math.ceil(writerVcpus / SHARD_VCPUS), Math.ceil(postgresGb / SHARD_GB));
  // The average over the day, and never less than the production stack has at its least.
  const averageVcpus = vcpus / demand.peakToAverage;
  const month = {
    // A writer is there for the peak, with one of its size to take over.
    postgres: Math.max(8 * 2, writerVcpus * 2) * prices.auroraVcpuHour * HOURS_PER_MONTH,
    storage: postgresGb * prices.auroraGbMonth,
    tasks:
      Math.max(8, averageVcpus * (1 - POSTGRES_SHARE)) *
      (prices.fargateVcpuHour + 2 * prices.fargateGbHour) *
      prices.spotFactor *
      HOURS_PER_MONTH,
    cache: Math.max(3 * 13, redisPrimaries * 3 * 13, redisGb * 3) * prices.cacheGbHour * HOURS_PER_MONTH,
    messages:
      ((requestsPerEvent * prices.sqsMillionRequests + 0.25 * prices.snsMillionRequests) * eventsPerMonth) / 1e6,
    dynamo:
      ((prices.dynamoMillionWrites + prices.dynamoMillionReads) * eventsPerMonth) / 1e6 +
      ((eventsPerDay * DEDUPE_DAYS * DEDUPE_ITEM_BYTES) / 1e9) * prices.dynamoGbMonth,
    around: capacity.aroundMonth,
  };
  const usdPerMonth = Object.values(month).reduce((sum, each) => sum + each, 0);
  const taken = [
    { what: "the writer's processors", share: (writerVcpus * busyShare) / capacity.writerVcpus },
    { what: "workers' processors, all tasks", share: (workerVcpus * busyShare) / capacity.workerVcpus },
    { what: "Redis' one thread", share: redisBusy },
    {
      what: `Redis' memory after ${standstillSeconds / 60} minutes of standstill`,
      share: redisGb / (capacity.cacheGb * 0.6),
    },
    {
      what: 'calls of the busiest FIFO queue, half of all events in it',
      share: (0.5 * peakPerSecond) / demand.messagesPerRequest / limits.fifoCallsPerSecond,
    },
    { what: 'writes of a DynamoDB table', share: peakPerSecond / limits.tableWritesPerSecond },
  ].toSorted((a, b) => b.share - a.share);
  return {
    merchants,
    eventsPerSecond,
    peakPerSecond,
    vcpus,
    postgresShards,
    postgresGb,
    redisPrimaries,
    activationPartitions: redisPrimaries,
    redisGb,
    fifoQueuesPerEvent: Math.max(
      1,
      Math.ceil((0.5 * peakPerSecond) / demand.messagesPerRequest / (limits.fifoCallsPerSecond * busyShare)),
    ),
    dynamoWritesPerSecond: peakPerSecond,
    dynamoReadsPerSecond: peakPerSecond,
    usdPerMonth,
    usdPerMillionEvents: usdPerMonth / (eventsPerMonth / 1e6),
    taken,
  };
}
