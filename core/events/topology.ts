import type { EventDefinition } from './definition.ts';
import type { Registry } from './registry.ts';

/** Queues, topics and subscriptions as the registry implies them; provisioning and infrastructure both read this. */
export interface QueueTopology {
  /** The specification's name. */
  name: string;
  /** As it is called in the account: stack prefix, and `.fifo` where it is one. */
  physicalName: string;
  fifo: boolean;
  deadLetterQueue: { name: string; physicalName: string };
  events: readonly EventDefinition[];
  subscription?: { topic: string; physicalTopic: string; filter?: Readonly<Record<string, readonly string[]>> };
}

export interface Topology {
  queues: readonly QueueTopology[];
  topics: readonly { name: string; physicalName: string; fifo: boolean }[];
}

/**
 * A poller that backs off keeps receiving the head of a group; a small count would push it into the DLQ without a reason
 * while its successors pass. Ours is decided by the engine, this is only the last resort.
 */
export const nativeMaxReceiveCount = 1_000;
export const queueRetentionSeconds = 4 * 86_400;
export const deadLetterRetentionSeconds = 14 * 86_400;

export const physicalName = (stack: string, name: string, fifo: boolean): string =>
  `${stack}-${name}${fifo ? '.fifo' : ''}`;

export function topologyOf(registry: Registry, stack: string): Topology {
  const queues = new Map<string, QueueTopology>();
  const topics = new Map<string, Topology['topics'][number]>();
  for (const event of registry.values()) {
    const fifo = event.route === 'fifo';
    const known = queues.get(event.queue);
    queues.set(event.queue, {
      name: event.queue,
      physicalName: physicalName(stack, event.queue, fifo),
      fifo,
      deadLetterQueue: {
        name: event.deadLetterQueue,
        physicalName: physicalName(stack, event.deadLetterQueue, fifo),
      },
      events: [...(known?.events ?? []), event],
      ...(event.topic === undefined
        ? {}
        : {
            subscription: {
              topic: event.topic,
              physicalTopic: physicalName(stack, event.topic, fifo),
              ...(event.filter === undefined ? {} : { filter: event.filter }),
            },
          }),
    });
    if (event.topic !== undefined)
      topics.set(event.topic, { name: event.topic, physicalName: physicalName(stack, event.topic, fifo), fifo });
  }
  return { queues: [...queues.values()], topics: [...topics.values()] };
}

export const topicArn = (region: string, account: string, physicalTopic: string): string =>
  `arn:aws:sns:${region}:${account}:${physicalTopic}`;
