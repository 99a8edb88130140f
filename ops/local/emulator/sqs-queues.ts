import { z } from 'zod';
import { ALL_ATTRIBUTE_NAMES, SqsError, validateQueueAttributes } from './fauxqs-internals.ts';
import type { QueueStore } from './queue-store.ts';
import { parseRedrivePolicy } from './redrive-policy.ts';
import { decode } from './requests.ts';

const attributes = z.record(z.string(), z.string());
const createRequest = z.object({ QueueName: z.string(), Attributes: attributes.default({}) });
const setRequest = z.object({ QueueUrl: z.string(), Attributes: attributes.default({}) });
const getRequest = z.object({ QueueUrl: z.string(), AttributeNames: z.array(z.string()).default([]) });

const settable = new Set([
  ...['VisibilityTimeout', 'DelaySeconds', 'MaximumMessageSize', 'MessageRetentionPeriod', 'FifoQueue'],
  ...['ReceiveMessageWaitTimeSeconds', 'RedrivePolicy', 'RedriveAllowPolicy', 'Policy', 'SqsManagedSseEnabled'],
  ...['KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds'],
  ...['ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit'],
]);

/** What fauxqs lets through at creation and AWS refuses. fauxqs creates the queue itself. */
export function refuseFaultyQueue(store: QueueStore, body: unknown): void {
  const { QueueName, Attributes } = decode(createRequest, body);
  if (!/^[A-Za-z0-9_-]{1,80}(\.fifo)?$/.test(QueueName) || QueueName.length > 80) {
    throw new SqsError(
      'InvalidParameterValue',
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
    );
  }
  const fifo = QueueName.endsWith('.fifo');
  if (fifo !== (Attributes['FifoQueue'] === 'true')) {
    throw new SqsError(
      'InvalidParameterValue',
      'The name of a FIFO queue ends with .fifo, and FifoQueue is true for it.',
    );
  }
  refuseFaultyAttributes(store, Attributes, fifo, Attributes['DeduplicationScope']);
}

export function setQueueAttributes(store: QueueStore, body: unknown) {
  const { QueueUrl, Attributes } = decode(setRequest, body);
  const queue = store.byUrl(QueueUrl);
  if (Attributes['FifoQueue'] !== undefined && (Attributes['FifoQueue'] === 'true') !== queue.isFifo()) {
    throw new SqsError('InvalidAttributeName', 'FifoQueue cannot be changed after the queue was created.');
  }
  const scope = Attributes['DeduplicationScope'] ?? queue.attributes['DeduplicationScope'];
  refuseFaultyAttributes(store, Attributes, queue.isFifo(), scope);
  queue.setAttributes(Attributes);
  return {};
}

export function getQueueAttributes(store: QueueStore, body: unknown) {
  const { QueueUrl, AttributeNames } = decode(getRequest, body);
  const queue = store.byUrl(QueueUrl);
  const known: readonly string[] = ALL_ATTRIBUTE_NAMES;
  const unknown = AttributeNames.find((name) => name !== 'All' && !known.includes(name));
  if (unknown !== undefined) throw new SqsError('InvalidAttributeName', `Unknown Attribute ${unknown}.`);
  return { Attributes: queue.getAllAttributes(AttributeNames) };
}

export function listDeadLetterSourceQueues(store: QueueStore, body: unknown) {
  const queue = store.byUrl(decode(z.object({ QueueUrl: z.string() }), body).QueueUrl);
  return { queueUrls: store.sourcesOf(queue).map(({ url }) => url) };
}

function refuseFaultyAttributes(
  store: QueueStore,
  values: Record<string, string>,
  fifo: boolean,
  scope: string | undefined,
): void {
  const unknown = Object.keys(values).find((name) => !settable.has(name));
  if (unknown !== undefined) throw new SqsError('InvalidAttributeName', `Unknown Attribute ${unknown}.`);
  validateQueueAttributes(values, SqsError);
  for (const name of ['ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit']) {
    if (values[name] !== undefined && !fifo) throw new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
  }
  oneOf(values, 'DeduplicationScope', ['queue', 'messageGroup']);
  oneOf(values, 'FifoThroughputLimit', ['perQueue', 'perMessageGroupId']);
  if (values['FifoThroughputLimit'] === 'perMessageGroupId' && scope !== 'messageGroup') {
    throw invalidValue('FifoThroughputLimit', 'perMessageGroupId needs DeduplicationScope to be messageGroup');
  }
  if (values['RedrivePolicy']) refuseFaultyRedrive(store, values['RedrivePolicy'], fifo);
}

function refuseFaultyRedrive(store: QueueStore, text: string, fifo: boolean): void {
  const policy = parseRedrivePolicy(text);
  const refuse = (reason: string) =>
    new SqsError('InvalidParameterValue', `Value ${text} for parameter RedrivePolicy is invalid. Reason: ${reason}`);
  if (policy === undefined) throw refuse('deadLetterTargetArn and maxReceiveCount (1 to 1000) are needed.');
  const target = store.byArn(policy.deadLetterTargetArn);
  if (target === undefined) throw refuse('Dead letter target does not exist.');
  if (target.isFifo() !== fifo) throw refuse('Dead-letter target must be same type of queue as the source.');
  if (target.attributes['RedriveAllowPolicy']?.includes('denyAll')) {
    throw refuse('The dead letter target does not allow this queue to use it.');
  }
}

function oneOf(values: Record<string, string>, name: string, allowed: readonly string[]): void {
  const value = values[name];
  if (value !== undefined && !allowed.includes(value)) throw invalidValue(name, `must be ${allowed.join(' or ')}`);
}

const invalidValue = (name: string, reason: string) =>
  new SqsError('InvalidAttributeValue', `Invalid value for the parameter ${name}. Reason: ${reason}.`);
