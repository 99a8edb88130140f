import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  fsyncSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Stores } from './sns-publish.ts';
import { presentAttributes } from './sqs-send.ts';
import { messageAttributes } from './requests.ts';
import { sequenceOf } from './topic-sequences.ts';

const strings = z.record(z.string(), z.string());
const dedupe = z.array(
  z.tuple([z.string(), z.object({ messageId: z.string(), sequenceNumber: z.string(), at: z.number() })]),
);

const message = z.object({
  messageId: z.string(),
  body: z.string(),
  md5OfBody: z.string(),
  messageAttributes,
  md5OfMessageAttributes: z.string(),
  sentTimestamp: z.number(),
  retainedFrom: z.number(),
  approximateReceiveCount: z.number(),
  approximateFirstReceiveTimestamp: z.number().exactOptional(),
  delayUntil: z.number().exactOptional(),
  messageGroupId: z.string().exactOptional(),
  messageDeduplicationId: z.string().exactOptional(),
  sequenceNumber: z.string().exactOptional(),
  traceHeader: z.string().exactOptional(),
  deadLetterSourceArn: z.string().exactOptional(),
  lastReceiptHandle: z.string().exactOptional(),
});

const state = z.object({
  version: z.literal(1),
  queues: z.array(
    z.object({
      name: z.string(),
      arn: z.string(),
      attributes: strings,
      tags: strings,
      sequence: z.number(),
      dedupe,
      messages: z.array(message),
    }),
  ),
  topics: z.array(
    z.object({ arn: z.string(), name: z.string(), attributes: strings, tags: strings, sequence: z.number(), dedupe }),
  ),
  subscriptions: z.array(
    z.object({
      arn: z.string(),
      topicArn: z.string(),
      protocol: z.string(),
      endpoint: z.string(),
      attributes: strings,
    }),
  ),
});

/** Everything that a graceful stop hands on to the next start. Written aside and renamed: there is no half a file. */
export function writeState(file: string, { queues, topics }: Stores): void {
  const content: z.infer<typeof state> = {
    version: 1,
    queues: [...queues.all()].map((queue) => ({
      name: queue.name,
      arn: queue.arn,
      attributes: queue.attributes,
      tags: Object.fromEntries(queue.tags),
      sequence: queue.sequenceCounter,
      dedupe: queue.dedupe.entries(),
      messages: queue.snapshot(),
    })),
    topics: [...topics.topics.values()].map((topic) => ({
      arn: topic.arn,
      name: topic.name,
      attributes: topic.attributes,
      tags: Object.fromEntries(topic.tags),
      sequence: sequenceOf(topic).last,
      dedupe: sequenceOf(topic).dedupe.entries(),
    })),
    subscriptions: [...topics.subscriptions.values()],
  };
  mkdirSync(dirname(file), { recursive: true });
  const aside = `${file}.new`;
  writeFileSync(aside, JSON.stringify(content));
  const descriptor = openSync(aside, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(aside, file);
}

/**
 * Messages that were in flight come back visible, in their old places: whoever had them is as likely gone as not, and
 * the queue promises at least one delivery anyway.
 */
export function restoreState(file: string, { queues, topics }: Stores, host: string): void {
  if (!existsSync(file)) return;
  const content = state.parse(JSON.parse(readFileSync(file, 'utf8')));
  for (const { name, arn, attributes, tags, sequence, dedupe: originals, messages } of content.queues) {
    const queue = queues.createQueue(name, queues.buildQueueUrl(name, '', host, ''), arn, attributes, tags);
    queue.sequenceCounter = sequence;
    for (const [key, original] of originals) queue.dedupe.record(key, original);
    for (const stored of messages) {
      queue.enqueue({ ...stored, messageAttributes: presentAttributes(stored.messageAttributes) });
    }
  }
  for (const { arn, name, attributes, tags, sequence, dedupe: originals } of content.topics) {
    const subscriptionArns = content.subscriptions.filter(({ topicArn }) => topicArn === arn).map((s) => s.arn);
    const topic = { arn, name, attributes, tags: new Map(Object.entries(tags)), subscriptionArns };
    topics.topics.set(arn, topic);
    sequenceOf(topic).last = sequence;
    for (const [key, original] of originals) sequenceOf(topic).dedupe.record(key, original);
  }
  for (const subscription of content.subscriptions) {
    topics.subscriptions.set(subscription.arn, { ...subscription, confirmed: true });
  }
}
