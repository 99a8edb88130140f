import { encodeMerchant } from './ids.ts';

/**
 * Names of the BullMQ queues, for the workers that own them and the console that shows them. Braces are Redis hash tags:
 * all keys of one queue lie in one cluster slot, as BullMQ's scripts need, and different queues spread. Encoding keeps
 * braces and colons of a merchant id out: `{}` would be an empty tag, and BullMQ refuses `:`.
 */
export const laneQueueName = (merchantId: string): string => `lane-{${encodeMerchant(merchantId)}}`;

/** @param partition merchants are spread over the partitions by hash */
export const activationQueueName = (partition: number): string => `{activations-${partition}}`;

export const effectQueueName = (partition: number): string => `{effects-${partition}}`;

/** Wake-ups of scheduled jobs. */
export const scheduleQueueName = '{schedules}';

/** Gone from Redis when Redis has lost what the fleet put there. */
export const sweepMarkerKey = (prefix: string): string => `${prefix}:sweep-marker`;

/** What a careful visit of a merchant's lane has in hand. */
export const inHandKey = (prefix: string, merchantId: string): string =>
  `${prefix}:in-hand:{${encodeMerchant(merchantId)}}`;

/** Prefix of every BullMQ key: several stacks can share a Redis. */
export const bullPrefix = (stack: string): string => stack;
