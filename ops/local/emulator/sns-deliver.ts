import type { MessageAttribute, SnsSubscription, SnsTopic } from './fauxqs-internals.ts';
import { newMessage } from './message.ts';
import type { EmulatedQueue } from './queue.ts';
import { parseDeadLetterTarget } from './redrive-policy.ts';
import { matchesAttributes, matchesBody, parseFilterPolicy } from './sns-filters.ts';
import type { Stores } from './sns-publish.ts';
import { sendInOrder } from './sqs-send.ts';

export interface Notification {
  readonly messageId: string;
  readonly sequenceNumber?: string;
  readonly message: string;
  readonly subject: string | undefined;
  readonly attributes: Record<string, MessageAttribute>;
  readonly groupId: string | undefined;
  readonly deduplicationId?: string;
  readonly traceHeader: string | undefined;
}

/** Puts a notification into the queue of every subscription whose filter lets it through. */
export function deliver(stores: Stores, topic: SnsTopic, notification: Notification): void {
  for (const arn of topic.subscriptionArns) {
    const subscription = stores.topics.getSubscription(arn);
    if (subscription?.protocol !== 'sqs' || !subscription.confirmed || !passes(subscription, notification)) continue;
    const queue = stores.queues.byArn(subscription.endpoint) ?? deadLetterQueueOf(stores, subscription);
    if (queue !== undefined) enqueue(stores, queue, topic, subscription, notification);
  }
}

function enqueue(
  { queues }: Stores,
  queue: EmulatedQueue,
  topic: SnsTopic,
  subscription: SnsSubscription,
  notification: Notification,
): void {
  const raw = subscription.attributes['RawMessageDelivery'] === 'true';
  const content = {
    body: raw ? notification.message : envelope(topic, subscription, notification),
    attributes: raw ? notification.attributes : {},
    groupId: notification.groupId,
    deduplicationId: notification.deduplicationId,
    traceHeader: notification.traceHeader,
  };
  if (queue.isFifo()) sendInOrder(queues, queue, content);
  else
    queue.enqueue(
      newMessage({ ...content, delaySeconds: Number(queue.attributes['DelaySeconds']) }, queues.clock.now()),
    );
}

function passes({ attributes }: SnsSubscription, notification: Notification): boolean {
  const text = attributes['FilterPolicy'];
  if (text === undefined || text === '') return true;
  const policy = parseFilterPolicy(text);
  return attributes['FilterPolicyScope'] === 'MessageBody'
    ? matchesBody(policy, notification.message)
    : matchesAttributes(policy, notification.attributes);
}

/** Where a subscription's messages go whose queue is gone. */
function deadLetterQueueOf({ queues }: Stores, { attributes }: SnsSubscription): EmulatedQueue | undefined {
  const arn = parseDeadLetterTarget(attributes['RedrivePolicy']);
  return arn === undefined ? undefined : queues.byArn(arn);
}

function envelope(topic: SnsTopic, subscription: SnsSubscription, notification: Notification): string {
  const { messageId, sequenceNumber, subject, message, attributes } = notification;
  const region = topic.arn.split(':')[3] ?? '';
  const wrapped = Object.entries(attributes).map(
    ([name, { DataType, StringValue, BinaryValue }]) =>
      [name, { Type: DataType, Value: StringValue ?? BinaryValue ?? '' }] as const,
  );
  return JSON.stringify({
    Type: 'Notification',
    MessageId: messageId,
    ...(sequenceNumber === undefined ? {} : { SequenceNumber: sequenceNumber }),
    TopicArn: topic.arn,
    ...(subject === undefined ? {} : { Subject: subject }),
    Message: message,
    Timestamp: new Date().toISOString(),
    SignatureVersion: '1',
    Signature: 'EMULATED',
    SigningCertURL: `https://sns.${region}.amazonaws.com/SimpleNotificationService.pem`,
    UnsubscribeURL: `https://sns.${region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=${subscription.arn}`,
    ...(wrapped.length > 0 ? { MessageAttributes: Object.fromEntries(wrapped) } : {}),
  });
}
