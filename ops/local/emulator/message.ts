import { randomUUID } from 'node:crypto';
import { type MessageAttribute, md5, md5OfMessageAttributes } from './fauxqs-internals.ts';

/** A message as a queue holds it, with the fields that fauxqs drops. Times are milliseconds since 1970. */
export interface Message {
  messageId: string;
  body: string;
  md5OfBody: string;
  messageAttributes: Record<string, MessageAttribute>;
  md5OfMessageAttributes: string;
  sentTimestamp: number;
  /** When its retention began: the sending, or for a FIFO queue the arrival in the dead-letter queue. */
  retainedFrom: number;
  approximateReceiveCount: number;
  approximateFirstReceiveTimestamp?: number;
  delayUntil?: number;
  messageGroupId?: string;
  messageDeduplicationId?: string;
  sequenceNumber?: string;
  traceHeader?: string;
  deadLetterSourceArn?: string;
  /** Of the latest receive. An older one is worth nothing. */
  lastReceiptHandle?: string;
}

export interface MessageContent {
  readonly body: string;
  readonly attributes: Record<string, MessageAttribute>;
  readonly delaySeconds?: number;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  readonly traceHeader?: string | undefined;
}

export function newMessage(content: MessageContent, now: number): Message {
  const { body, attributes, delaySeconds = 0, groupId, deduplicationId, traceHeader } = content;
  return {
    messageId: randomUUID(),
    body,
    md5OfBody: md5(body),
    messageAttributes: attributes,
    md5OfMessageAttributes: md5OfMessageAttributes(attributes),
    sentTimestamp: now,
    retainedFrom: now,
    approximateReceiveCount: 0,
    ...(delaySeconds > 0 ? { delayUntil: now + delaySeconds * 1_000 } : {}),
    ...(groupId === undefined ? {} : { messageGroupId: groupId }),
    ...(deduplicationId === undefined ? {} : { messageDeduplicationId: deduplicationId }),
    ...(traceHeader === undefined ? {} : { traceHeader }),
  };
}
