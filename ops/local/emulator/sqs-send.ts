import { z } from 'zod';
import { dedupeKey } from './dedupe-window.ts';
import {
  calculateMessageSize,
  type MessageAttribute,
  md5,
  md5OfMessageAttributes,
  SQS_MAX_MESSAGE_SIZE_BYTES,
  SqsError,
  SqsStore,
} from './fauxqs-internals.ts';
import { type MessageContent, newMessage } from './message.ts';
import type { EmulatedQueue } from './queue.ts';
import type { QueueStore } from './queue-store.ts';
import { decode, eachOfBatch, messageAttributes, refuseFaultyBatch } from './requests.ts';

const sendFields = {
  MessageBody: z.string(),
  DelaySeconds: z.number().optional(),
  MessageAttributes: messageAttributes.default({}),
  MessageSystemAttributes: messageAttributes.default({}),
  MessageGroupId: z.string().optional(),
  MessageDeduplicationId: z.string().optional(),
};
const sendRequest = z.object({ QueueUrl: z.string(), ...sendFields });
const batchRequest = z.object({
  QueueUrl: z.string(),
  Entries: z.array(z.object({ Id: z.string(), ...sendFields })).default([]),
});
type Sending = Omit<z.infer<typeof sendRequest>, 'QueueUrl'>;

export function sendMessage(store: QueueStore, body: unknown) {
  const request = decode(sendRequest, body);
  return send(store, store.byUrl(request.QueueUrl), request);
}

export function sendMessageBatch(store: QueueStore, body: unknown) {
  const { QueueUrl, Entries } = decode(batchRequest, body);
  const queue = store.byUrl(QueueUrl);
  refuseFaultyBatch(Entries);
  const size = Entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
  if (size > SQS_MAX_MESSAGE_SIZE_BYTES) {
    throw new SqsError(
      'BatchRequestTooLong',
      `Batch requests cannot be longer than ${SQS_MAX_MESSAGE_SIZE_BYTES} bytes. You have sent ${size} bytes.`,
    );
  }
  return eachOfBatch(Entries, (entry) => send(store, queue, entry));
}

/** Everything except tab, line feed, carriage return and the printable characters of all planes. */
const forbidden = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

function send(store: QueueStore, queue: EmulatedQueue, sending: Sending) {
  if (sending.MessageBody === '') {
    throw new SqsError('MissingParameter', 'The request must contain the parameter MessageBody.');
  }
  if (forbidden.test(sending.MessageBody)) {
    throw new SqsError('InvalidMessageContents', 'Invalid characters found in the message body.');
  }
  if (Object.keys(sending.MessageAttributes).length > 10) {
    throw invalid('Number of message attributes exceeds the allowed maximum [10].');
  }
  const limit = Number(queue.attributes['MaximumMessageSize']);
  if (sizeOf(sending) > limit) {
    throw invalid(`One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`);
  }
  const content = {
    body: sending.MessageBody,
    attributes: presentAttributes(sending.MessageAttributes),
    groupId: sending.MessageGroupId,
    traceHeader: sending.MessageSystemAttributes['AWSTraceHeader']?.StringValue,
  };
  const digests = {
    MD5OfMessageBody: md5(content.body),
    ...(Object.keys(content.attributes).length > 0
      ? { MD5OfMessageAttributes: md5OfMessageAttributes(content.attributes) }
      : {}),
  };
  if (queue.isFifo()) {
    if (sending.DelaySeconds) {
      throw invalid(`Value ${sending.DelaySeconds} for parameter DelaySeconds is invalid for this queue type.`);
    }
    const { messageId, sequenceNumber } = sendInOrder(store, queue, {
      ...content,
      deduplicationId: sending.MessageDeduplicationId,
    });
    return { MessageId: messageId, SequenceNumber: sequenceNumber, ...digests };
  }
  const delaySeconds = sending.DelaySeconds ?? Number(queue.attributes['DelaySeconds']);
  if (delaySeconds < 0 || delaySeconds > 900) {
    throw invalid(`Value ${delaySeconds} for parameter DelaySeconds is invalid. Reason: must be between 0 and 900.`);
  }
  const message = newMessage({ ...content, delaySeconds }, store.clock.now());
  queue.enqueue(message);
  return { MessageId: message.messageId, ...digests };
}

/** Puts a message into a FIFO queue, unless it is there already: then the answer is the original's. */
export function sendInOrder(
  store: QueueStore,
  queue: EmulatedQueue,
  content: MessageContent,
): { messageId: string; sequenceNumber: string } {
  const now = store.clock.now();
  const { groupId } = content;
  if (groupId === undefined || groupId === '') {
    throw new SqsError('MissingParameter', 'The request must contain the parameter MessageGroupId.');
  }
  const deduplicationId = content.deduplicationId ?? contentDeduplicationId(queue, content.body);
  const key = dedupeKey(deduplicationId, groupId, queue.attributes['DeduplicationScope'] === 'messageGroup');
  const original = queue.dedupe.find(key, now);
  if (original !== undefined) return original;

  const message = newMessage(
    { ...content, deduplicationId, delaySeconds: Number(queue.attributes['DelaySeconds']) },
    now,
  );
  const sequenceNumber = queue.nextSequenceNumber();
  message.sequenceNumber = sequenceNumber;
  queue.dedupe.record(key, { messageId: message.messageId, sequenceNumber, at: now });
  queue.enqueue(message);
  return { messageId: message.messageId, sequenceNumber };
}

function contentDeduplicationId(queue: EmulatedQueue, body: string): string {
  if (queue.attributes['ContentBasedDeduplication'] === 'true') return SqsStore.contentBasedDeduplicationId(body);
  throw invalid(
    'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
  );
}

const sizeOf = (sending: Sending) =>
  calculateMessageSize(sending.MessageBody, presentAttributes(sending.MessageAttributes));

/** Without the keys whose value is undefined, which would travel as such. */
export function presentAttributes(attributes: z.infer<typeof messageAttributes>): Record<string, MessageAttribute> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      {
        DataType,
        ...(StringValue === undefined ? {} : { StringValue }),
        ...(BinaryValue === undefined ? {} : { BinaryValue }),
      },
    ]),
  );
}

const invalid = (message: string) => new SqsError('InvalidParameterValue', message);
