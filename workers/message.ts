import type { Message } from '@aws-sdk/client-sqs';

/** A message as SQS handed it over, with what the stages of the pipeline need of it. */
export interface ReceivedMessage {
  messageId: string;
  receiptHandle: string;
  body: string;
  /** How often it was received, this time included. */
  receiveCount: number;
  /** Epoch milliseconds. */
  firstReceivedAtMs: number;
  groupId?: string;
  traceHeader?: string;
  /** String attributes that its sender gave it. */
  attributes: Readonly<Record<string, string>>;
}

export function toReceived(message: Message): ReceivedMessage {
  const system: Partial<Record<string, string>> = message.Attributes ?? {};
  const {
    MessageGroupId: groupId,
    AWSTraceHeader: traceHeader,
    ApproximateReceiveCount: receiveCount,
    ApproximateFirstReceiveTimestamp: firstReceivedAt,
  } = system;
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    receiveCount: Number(receiveCount ?? 1),
    // Without it nothing can be waited for: it then counts as received for the first time long ago.
    firstReceivedAtMs: Number(firstReceivedAt ?? 0),
    ...(groupId === undefined ? {} : { groupId }),
    ...(traceHeader === undefined ? {} : { traceHeader }),
    attributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).flatMap(([name, { StringValue }]) =>
        StringValue === undefined ? [] : [[name, StringValue]],
      ),
    ),
  };
}

/**
 * Every dead letter of ours carries the handler that gave up and a fingerprint. A message that carries them on a source
 * queue was moved back from the DLQ by AWS's own redrive.
 */
export function redriveMarkerOf(message: ReceivedMessage): { handler: string } | undefined {
  const { handler, fingerprint } = message.attributes as Partial<Record<string, string>>;
  return handler === undefined || fingerprint === undefined ? undefined : { handler };
}
