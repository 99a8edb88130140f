import { PublishBatchCommand, type SNSClient } from '@aws-sdk/client-sns';
import { type SQSClient, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { setTimeout as delay } from 'node:timers/promises';
import { messageAttributes } from '../../core/events/build.ts';
import { type Registry, registry as laneway } from '../../core/events/registry.ts';
import { encodeMerchant } from '../../core/runtime/ids.ts';
import type { LoadEvent, SentEvent } from './load-event.ts';

export interface SendOptions {
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  /** URLs and ARNs by the specification's names. */
  readonly queues: Readonly<Record<string, string>>;
  readonly topics: Readonly<Record<string, string>>;
  /** Batches in flight, for each queue and topic. */
  readonly concurrency?: number;
  readonly registry?: Registry;
  readonly onSent?: (count: number) => void;
  readonly signal?: AbortSignal;
  /** Calls that fail one after the other before it gives up. */
  readonly maxFailuresInARow?: number;
}

const batchSize = 10;

interface Target {
  readonly name: string;
  readonly channel: 'queue' | 'topic';
  readonly fifo: boolean;
  /** What each merchant still has to send, in order. */
  readonly waiting: Map<string, LoadEvent[]>;
}

/**
 * Sends a load as its producers would: merchants side by side, and on a FIFO queue at most one unacknowledged message of a
 * merchant, since an entry that is refused would otherwise be overtaken by its successor in the same batch. Returns the
 * sends in the order of their acknowledgement, which is producer order for each merchant and queue.
 */
export async function sendLoad(load: Iterable<LoadEvent>, options: SendOptions): Promise<SentEvent[]> {
  const sent: SentEvent[] = [];
  const targets = splitByTarget(load, options.registry ?? laneway);
  await Promise.all(
    targets.flatMap((target) =>
      Array.from({ length: options.concurrency ?? 4 }, () =>
        drain(target, options, (events) => {
          sent.push(...events);
          options.onSent?.(sent.length);
        }),
      ),
    ),
  );
  return sent;
}

function splitByTarget(load: Iterable<LoadEvent>, registry: Registry): Target[] {
  const fifo = new Map([...registry.values()].map((event) => [event.topic ?? event.queue, event.route === 'fifo']));
  const targets = new Map<string, Target>();
  for (const one of load) {
    const target: Target = targets.get(one.name) ?? {
      name: one.name,
      channel: one.channel,
      fifo: fifo.get(one.name) ?? false,
      waiting: new Map(),
    };
    targets.set(one.name, target);
    const own = target.waiting.get(one.merchantId);
    if (own === undefined) target.waiting.set(one.merchantId, [one]);
    else own.push(one);
  }
  return [...targets.values()];
}

/** Takes merchants out of `waiting` while their sends are in flight, so that several of these can run side by side. */
async function drain(target: Target, options: SendOptions, acknowledge: (events: SentEvent[]) => void): Promise<void> {
  let failuresInARow = 0;
  while (target.waiting.size > 0 && options.signal?.aborted !== true) {
    const taken = takeMerchants(target);
    const batch = taken.flatMap(([, own]) => own.slice(0, target.fifo ? 1 : batchSize)).slice(0, batchSize);
    const sentAtMs = Date.now();
    let refused: Set<LoadEvent>;
    try {
      refused = await sendBatch(target, batch, options);
      failuresInARow = 0;
    } catch (error) {
      refused = new Set(batch);
      failuresInARow += 1;
      if (failuresInARow >= (options.maxFailuresInARow ?? 40))
        throw new Error(`cannot send to ${target.name}`, { cause: error });
    }
    const accepted = new Set(batch.filter((event) => !refused.has(event)));
    acknowledge([...accepted].map((event) => ({ ...event, sentAtMs })));
    for (const [merchantId, own] of taken) {
      const rest = own.filter((event) => !accepted.has(event));
      if (rest.length > 0) target.waiting.set(merchantId, rest);
    }
    if (refused.size > 0) await delay(Math.min(2_000, 50 * 2 ** Math.min(failuresInARow, 6)));
  }
}

function takeMerchants(target: Target): [string, LoadEvent[]][] {
  const taken: [string, LoadEvent[]][] = [];
  let events = 0;
  for (const entry of target.waiting) {
    if (events >= batchSize) break;
    taken.push(entry);
    events += target.fifo ? 1 : entry[1].length;
  }
  for (const [merchantId] of taken) target.waiting.delete(merchantId);
  return taken;
}

/** The events that were refused. */
async function sendBatch(target: Target, batch: LoadEvent[], options: SendOptions): Promise<Set<LoadEvent>> {
  const entries = batch.map((load, index) => ({
    Id: String(index),
    ...(target.fifo
      ? { MessageGroupId: encodeMerchant(load.merchantId), MessageDeduplicationId: load.deduplicationId }
      : {}),
  }));
  const signal = AbortSignal.timeout(30_000);
  const failed =
    target.channel === 'queue'
      ? await options.sqs.send(
          new SendMessageBatchCommand({
            QueueUrl: addressOf(options.queues, target.name),
            Entries: entries.map((entry, index) => ({ ...entry, MessageBody: batch[index]?.body ?? '' })),
          }),
          { abortSignal: signal },
        )
      : await options.sns.send(
          new PublishBatchCommand({
            TopicArn: addressOf(options.topics, target.name),
            PublishBatchRequestEntries: entries.map((entry, index) => ({
              ...entry,
              Message: batch[index]?.body ?? '',
              MessageAttributes: attributesOf(batch[index], options.registry ?? laneway),
            })),
          }),
          { abortSignal: signal },
        );
  return new Set((failed.Failed ?? []).flatMap(({ Id }) => batch[Number(Id)] ?? []));
}

function attributesOf(load: LoadEvent | undefined, registry: Registry) {
  const definition = registry.get(load?.event.eventType ?? '');
  if (load === undefined || definition === undefined) return {};
  // Attribute values on SNS must be XML text; a merchant id may be anything.
  const all = messageAttributes(
    definition.name,
    definition.routingKey,
    encodeMerchant(load.merchantId),
    definition.priority,
  );
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
  );
}

function addressOf(addresses: Readonly<Record<string, string>>, name: string): string {
  const address = addresses[name];
  if (address === undefined) throw new Error(`there is no address for ${name}`);
  return address;
}
