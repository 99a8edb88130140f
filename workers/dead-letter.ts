import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type MessageAttributeValue, type SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import { MAX_MESSAGE_BYTES, deadLetterAttributes } from '../core/events/dead-letter.ts';
import type { QueueTopology } from '../core/events/topology.ts';
import { type Clock, dayOf } from '../core/runtime/clock.ts';
import type { ErrorCode } from '../core/runtime/errors.ts';
import { encodeMerchant } from '../core/runtime/ids.ts';
import type { ReceivedMessage } from './message.ts';

/** A message that never became an event, and so has no inbox row from which a lane could dead-letter it. */
export interface Undecodable {
  message: ReceivedMessage;
  /** Which stage refused it. */
  handler: 'decode' | 'dedupe' | 'accept';
  code: ErrorCode;
  /** What is wrong, with the path of each fault. */
  reason: string;
  merchantId?: string;
  correlationId?: string;
}

export interface DeadLetterDependencies {
  sqs: SQSClient;
  s3: S3Client;
  /** Keeps bodies that leave no room for the attributes. */
  bucket: string;
  queue: QueueTopology;
  deadLetterUrl: string;
  clock: Clock;
}

/**
 * Puts a message into its queue's DLQ, body unchanged: what SQS handed over it takes again, so nothing needs encoding. The
 * caller deletes it from the source afterwards. A crash in between leaves it on both: it is dead-lettered twice at worst
 * (once within five minutes on a FIFO queue) and never lost.
 */
export async function sendUndecodable(deps: DeadLetterDependencies, letter: Undecodable): Promise<void> {
  const { message } = letter;
  const { queue, clock } = deps;
  const at = new Date(clock.now()).toISOString();
  const error = { code: letter.code, message: letter.reason, at };
  const attributes = deadLetterAttributes({
    merchantId: letter.merchantId ?? '',
    sourceQueue: queue.name,
    handler: letter.handler,
    correlationId: letter.correlationId ?? '',
    attempts: 1,
    first: error,
    last: error,
  });
  const fits = Buffer.byteLength(message.body) + sizeOf(attributes) <= MAX_MESSAGE_BYTES;
  await deps.sqs.send(
    new SendMessageCommand({
      QueueUrl: deps.deadLetterUrl,
      MessageBody: fits ? message.body : await storeBody(deps, message),
      MessageAttributes: asStrings(attributes),
      ...(message.traceHeader === undefined
        ? {}
        : { MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: message.traceHeader } } }),
      ...(queue.fifo
        ? {
            // An empty merchant id has an empty encoding, which is no group.
            MessageGroupId: encodeMerchant(letter.merchantId ?? '') || 'undecodable',
            // Not the original's: its five minutes may still run. A message that is moved back gets a new id, and so may
            // come here again.
            MessageDeduplicationId: `${message.messageId}.${letter.code}`,
          }
        : {}),
    }),
  );
}

/** Written before the letter that refers to it. */
async function storeBody(
  { s3, bucket, queue, clock }: DeadLetterDependencies,
  message: ReceivedMessage,
): Promise<string> {
  const key = `dead-letters/${queue.name}/${dayOf(clock.now())}/${message.messageId}`;
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: message.body, ContentType: 'text/plain' }));
  return JSON.stringify({ bodyIn: 's3', bucket, key });
}

/** As SQS counts: names, types and values. */
const sizeOf = (attributes: Record<string, string>): number =>
  Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + 'String'.length + Buffer.byteLength(value),
    0,
  );

const asStrings = (attributes: Record<string, string>): Record<string, MessageAttributeValue> =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
  );
