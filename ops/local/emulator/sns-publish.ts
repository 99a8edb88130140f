import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { dedupeKey } from './dedupe-window.ts';
import {
  calculateMessageSize,
  escapeXml,
  type MessageAttribute,
  SnsError,
  type SnsStore,
  type SnsTopic,
  snsSuccessResponse,
  SqsStore,
} from './fauxqs-internals.ts';
import type { QueueStore } from './queue-store.ts';
import { deliver, type Notification } from './sns-deliver.ts';
import { nextSequenceNumber, sequenceOf } from './topic-sequences.ts';

export interface Stores {
  readonly queues: QueueStore;
  readonly topics: SnsStore;
}

/** SNS speaks the query protocol: a flat form whose keys are paths. */
export type Form = Readonly<Record<string, string | undefined>>;

const maxBytes = 262_144;

interface Publication {
  readonly messageId: string;
  readonly sequenceNumber?: string;
}

export function publish(stores: Stores, form: Form, traceHeader: string | undefined): string {
  return snsSuccessResponse(
    'Publish',
    presentPublication(publishOne(stores, topicOf(stores, form), form, '', traceHeader)),
  );
}

export function publishBatch(stores: Stores, form: Form, traceHeader: string | undefined): string {
  const topic = topicOf(stores, form);
  const prefixes = membersOf(form, 'PublishBatchRequestEntries');
  const idOf = (prefix: string) => form[`${prefix}Id`] ?? '';
  if (prefixes.length === 0) throw new SnsError('EmptyBatchRequest', "The batch request doesn't contain any entries.");
  if (prefixes.length > 10) {
    throw new SnsError('TooManyEntriesInBatchRequest', 'The batch request contains more entries than permissible.');
  }
  if (prefixes.some((prefix) => !/^[A-Za-z0-9_-]{1,80}$/.test(idOf(prefix)))) {
    throw new SnsError(
      'InvalidBatchEntryId',
      'The Id of a batch entry in a batch request does not abide by the specification.',
    );
  }
  if (new Set(prefixes.map(idOf)).size < prefixes.length) {
    throw new SnsError('BatchEntryIdsNotDistinct', 'Two or more batch entries in the request have the same Id.');
  }
  const size = prefixes.reduce((sum, prefix) => sum + sizeOf(form, prefix), 0);
  if (size > maxBytes) {
    throw new SnsError('BatchRequestTooLong', 'The length of all the messages put together is more than the limit.');
  }

  let successful = '';
  let failed = '';
  for (const prefix of prefixes) {
    const id = `<Id>${idOf(prefix)}</Id>`;
    try {
      successful += `<member>${id}${presentPublication(publishOne(stores, topic, form, prefix, traceHeader))}</member>`;
    } catch (error) {
      if (!(error instanceof SnsError)) throw error;
      const reason = `<Code>${error.code}</Code><Message>${escapeXml(error.message)}</Message>`;
      failed += `<member>${id}${reason}<SenderFault>true</SenderFault></member>`;
    }
  }
  return snsSuccessResponse('PublishBatch', `<Successful>${successful}</Successful><Failed>${failed}</Failed>`);
}

function publishOne(
  stores: Stores,
  topic: SnsTopic,
  form: Form,
  prefix: string,
  traceHeader: string | undefined,
): Publication {
  const message = form[`${prefix}Message`] ?? '';
  if (message === '') throw invalid('Empty message');
  if (sizeOf(form, prefix) > maxBytes) throw invalid('Message too long');
  const groupId = form[`${prefix}MessageGroupId`];
  const notification = {
    message: form[`${prefix}MessageStructure`] === 'json' ? messageForSqs(message) : message,
    subject: form[`${prefix}Subject`],
    attributes: attributesOf(form, prefix),
    groupId,
    // SNS hands its own trace on to queues only where the topic is traced.
    traceHeader: topic.attributes['TracingConfig'] === 'Active' ? traceHeader : undefined,
  };
  if (topic.attributes['FifoTopic'] !== 'true') {
    const messageId = randomUUID();
    deliver(stores, topic, { ...notification, messageId });
    return { messageId };
  }
  if (groupId === undefined) throw invalid('The MessageGroupId parameter is required for FIFO topics');
  const deduplicationId = form[`${prefix}MessageDeduplicationId`] ?? contentDeduplicationId(topic, message);
  return publishInOrder(stores, topic, { ...notification, groupId, deduplicationId });
}

/** Deduplicated at the topic, over all its subscriptions: an original answers for its duplicates. */
function publishInOrder(
  stores: Stores,
  topic: SnsTopic,
  notification: Omit<Notification, 'messageId'> & { groupId: string; deduplicationId: string },
): Publication {
  const sequence = sequenceOf(topic);
  const now = stores.queues.clock.now();
  const perGroup = topic.attributes['FifoThroughputScope'] === 'MessageGroup';
  const key = dedupeKey(notification.deduplicationId, notification.groupId, perGroup);
  const original = sequence.dedupe.find(key, now);
  if (original !== undefined) return original;
  const publication = { messageId: randomUUID(), sequenceNumber: nextSequenceNumber(sequence) };
  sequence.dedupe.record(key, { ...publication, at: now });
  deliver(stores, topic, { ...notification, ...publication });
  return publication;
}

function contentDeduplicationId(topic: SnsTopic, message: string): string {
  if (topic.attributes['ContentBasedDeduplication'] === 'true') return SqsStore.contentBasedDeduplicationId(message);
  throw invalid(
    'The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
  );
}

/** `MessageStructure=json`: a text for each protocol. */
function messageForSqs(message: string): string {
  let json: unknown;
  try {
    json = JSON.parse(message);
  } catch {
    throw invalid('Message Structure - JSON message body failed to parse');
  }
  const texts = z.object({ default: z.string(), sqs: z.string().optional() }).safeParse(json);
  if (!texts.success) throw invalid('Message Structure - No default entry in JSON message body');
  return texts.data.sqs ?? texts.data.default;
}

function topicOf({ topics }: Stores, form: Form): SnsTopic {
  const topic = topics.getTopic(form['TopicArn'] ?? '');
  if (topic === undefined) throw new SnsError('NotFound', 'Topic does not exist', 404);
  return topic;
}

function attributesOf(form: Form, prefix: string): Record<string, MessageAttribute> {
  const attributes: Record<string, MessageAttribute> = {};
  for (let i = 1; ; i++) {
    const entry = `${prefix}MessageAttributes.entry.${i}.`;
    const name = form[`${entry}Name`];
    if (name === undefined) return attributes;
    const text = form[`${entry}Value.StringValue`];
    const binary = form[`${entry}Value.BinaryValue`];
    attributes[name] = {
      DataType: form[`${entry}Value.DataType`] ?? 'String',
      ...(text === undefined ? {} : { StringValue: text }),
      ...(binary === undefined ? {} : { BinaryValue: binary }),
    };
  }
}

function membersOf(form: Form, list: string): string[] {
  const prefixes: string[] = [];
  for (let i = 1; form[`${list}.member.${i}.Id`] !== undefined; i++) prefixes.push(`${list}.member.${i}.`);
  return prefixes;
}

const sizeOf = (form: Form, prefix: string) =>
  calculateMessageSize(form[`${prefix}Message`] ?? '', attributesOf(form, prefix));

const presentPublication = ({ messageId, sequenceNumber }: Publication) =>
  `<MessageId>${messageId}</MessageId>${sequenceNumber === undefined ? '' : `<SequenceNumber>${sequenceNumber}</SequenceNumber>`}`;

const invalid = (reason: string) => new SnsError('InvalidParameter', `Invalid parameter: ${reason}`);
