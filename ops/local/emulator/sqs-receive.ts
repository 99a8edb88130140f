import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SqsError } from './fauxqs-internals.ts';
import { receiveWithin } from './long-poll.ts';
import type { Message } from './message.ts';
import type { EmulatedQueue } from './queue.ts';
import type { QueueStore } from './queue-store.ts';
import { decode } from './requests.ts';

const receiveRequest = z.object({
  QueueUrl: z.string(),
  MaxNumberOfMessages: z.number().optional(),
  VisibilityTimeout: z.number().optional(),
  WaitTimeSeconds: z.number().optional(),
  AttributeNames: z.array(z.string()).default([]),
  MessageSystemAttributeNames: z.array(z.string()).default([]),
  MessageAttributeNames: z.array(z.string()).default([]),
});

export async function receiveMessage(store: QueueStore, request: FastifyRequest, reply: FastifyReply) {
  const body = decode(receiveRequest, request.body);
  const queue = store.byUrl(body.QueueUrl);
  const max = inRange('MaxNumberOfMessages', body.MaxNumberOfMessages, 1, 10) ?? 1;
  const visibilitySeconds = inRange('VisibilityTimeout', body.VisibilityTimeout, 0, 43_200);
  const waitSeconds =
    inRange('WaitTimeSeconds', body.WaitTimeSeconds, 0, 20) ??
    Number(queue.attributes['ReceiveMessageWaitTimeSeconds']);

  const gone = new AbortController();
  const hangUp = () => gone.abort();
  const { socket } = request.raw;
  // Clients of SQS never close only their half of a connection: its end means that nobody reads the answer.
  socket.once('end', hangUp).once('close', hangUp);
  const messages = await receiveWithin({ store, queue }, { max, visibilitySeconds, waitSeconds }, gone.signal);
  socket.off('end', hangUp).off('close', hangUp);
  if (messages.length === 0) return {};

  // The client may still go away before the answer is written.
  if (gone.signal.aborted || socket.destroyed) queue.unreceive(messages);
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) queue.unreceive(messages);
  });
  const systemNames = new Set([...body.AttributeNames, ...body.MessageSystemAttributeNames]);
  return { Messages: messages.map((message) => present(queue, message, systemNames, body.MessageAttributeNames)) };
}

function present(queue: EmulatedQueue, message: Message, systemNames: ReadonlySet<string>, names: readonly string[]) {
  const system = systemAttributes(queue, message).filter(
    ([name, value]) => value !== undefined && (systemNames.has('All') || systemNames.has(name)),
  );
  const attributes = Object.entries(message.messageAttributes).filter(([name]) => isWanted(name, names));
  const complete = attributes.length === Object.keys(message.messageAttributes).length;
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.lastReceiptHandle,
    MD5OfBody: message.md5OfBody,
    Body: message.body,
    ...(system.length > 0
      ? { Attributes: Object.fromEntries(system.map(([name, value]) => [name, String(value)])) }
      : {}),
    ...(attributes.length > 0 ? { MessageAttributes: Object.fromEntries(attributes) } : {}),
    // The checksum covers all of them, so that it would not fit a selection.
    ...(attributes.length > 0 && complete ? { MD5OfMessageAttributes: message.md5OfMessageAttributes } : {}),
  };
}

function systemAttributes(queue: EmulatedQueue, message: Message): [string, string | number | undefined][] {
  return [
    ['SenderId', 'AIDAEMULATEDSENDER'],
    ['SentTimestamp', message.sentTimestamp],
    ['ApproximateReceiveCount', message.approximateReceiveCount],
    ['ApproximateFirstReceiveTimestamp', message.approximateFirstReceiveTimestamp],
    ['MessageGroupId', message.messageGroupId],
    ['MessageDeduplicationId', queue.isFifo() ? message.messageDeduplicationId : undefined],
    ['SequenceNumber', queue.isFifo() ? message.sequenceNumber : undefined],
    ['AWSTraceHeader', message.traceHeader],
    ['DeadLetterQueueSourceArn', message.deadLetterSourceArn],
  ];
}

function isWanted(name: string, patterns: readonly string[]): boolean {
  return patterns.some(
    (pattern) =>
      pattern === 'All' || pattern === name || (pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1))),
  );
}

function inRange(name: string, value: number | undefined, min: number, max: number): number | undefined {
  if (value === undefined || (value >= min && value <= max)) return value;
  throw new SqsError(
    'InvalidParameterValue',
    `Value ${value} for parameter ${name} is invalid. Reason: Must be between ${min} and ${max}, if provided.`,
  );
}
