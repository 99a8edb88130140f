import {
  ChangeMessageVisibilityBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { withDeadline } from '../../core/runtime/deadline.ts';
import { type DeadItem, messageItemId } from './items.ts';

/** A message that lies in a DLQ and is held by us until it is handed back. */
export interface HeldMessage {
  queue: string;
  messageId: string;
  receiptHandle: string;
  body: string;
  attributes: Readonly<Record<string, string>>;
  groupId: string | undefined;
  sentAt: string;
  eventId: string | undefined;
  merchantId: string | undefined;
}

export interface Browsed {
  messages: readonly HeldMessage[];
  /** True when the queue may hold more than was looked at. */
  partial: boolean;
  /** Makes what was looked at visible again, at once. What is deleted meanwhile stays so. */
  handBack(): Promise<void>;
}

const DEADLINE_MS = 10_000;
/** What a crash of the command hides from others, and for how long. */
const VISIBILITY_SECONDS = 60;
const BATCH = 10;

/**
 * Looks at up to `limit` messages of a DLQ without losing any. A FIFO queue hands out at most ten messages of a group and
 * then nothing of it until those are deleted or handed back, so of a group with more only the first ten are seen.
 * @param look called with each batch; what it deletes makes room for those behind it
 */
export async function browse(
  sqs: SQSClient,
  { queue, url, limit }: { queue: string; url: string; limit: number },
  look: (messages: readonly HeldMessage[]) => Promise<void> = () => Promise.resolve(),
): Promise<Browsed> {
  const messages = new Map<string, HeldMessage>();
  const handBack = () => makeVisible(sqs, url, [...messages.values()]);
  try {
    // A receive may come back empty although there is something: SQS asks a part of its servers. Twice is enough to browse.
    for (let empty = 0; empty < 2 && messages.size < limit;) {
      const { Messages = [] } = await withDeadline(`receiving from ${queue}`, DEADLINE_MS, (abortSignal) =>
        sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: url,
            MaxNumberOfMessages: Math.min(BATCH, limit - messages.size),
            WaitTimeSeconds: 0,
            VisibilityTimeout: VISIBILITY_SECONDS,
            MessageAttributeNames: ['All'],
            MessageSystemAttributeNames: ['All'],
          }),
          { abortSignal },
        ),
      );
      empty = Messages.length === 0 ? empty + 1 : 0;
      const batch = Messages.map((message) => held(queue, message));
      for (const message of batch) messages.set(message.messageId, message);
      if (batch.length > 0) await look(batch);
    }
  } catch (error) {
    await handBack();
    throw error;
  }
  const groups = Map.groupBy(messages.values(), ({ groupId }) => groupId ?? '');
  const hidden = url.endsWith('.fifo') && [...groups.values()].some((group) => group.length >= BATCH);
  return { messages: [...messages.values()], partial: hidden || messages.size >= limit, handBack };
}

async function makeVisible(sqs: SQSClient, url: string, messages: readonly HeldMessage[]): Promise<void> {
  for (let from = 0; from < messages.length; from += BATCH) {
    const Entries = messages.slice(from, from + BATCH).map(({ receiptHandle: ReceiptHandle }, index) => ({
      ...{ Id: String(index), ReceiptHandle },
      VisibilityTimeout: 0,
    }));
    // An entry fails where its message is deleted, or visible again by itself.
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries }));
  }
}

const ids = z.looseObject({
  eventId: z.string().optional(),
  merchantId: z.string().optional(),
  payload: z.looseObject({ merchantId: z.string().optional() }).optional().catch(undefined),
});

function held(
  queue: string,
  { MessageId, ReceiptHandle, Body = '', MessageAttributes, Attributes }: Message,
): HeldMessage {
  const attributes = Object.fromEntries(
    Object.entries(MessageAttributes ?? {}).flatMap(([name, { StringValue }]) =>
      StringValue === undefined ? [] : [[name, StringValue]],
    ),
  );
  const body = ids.safeParse(parseJson(Body));
  return {
    queue,
    messageId: MessageId ?? '',
    receiptHandle: ReceiptHandle ?? '',
    body: Body,
    attributes,
    groupId: Attributes?.MessageGroupId,
    sentAt: new Date(Number(Attributes?.SentTimestamp ?? 0)).toISOString(),
    eventId: body.data?.eventId,
    merchantId: body.data?.merchantId ?? body.data?.payload?.merchantId ?? attributes['merchantId'],
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // What is not JSON names no event.
    return undefined;
  }
}

export function messageItem(message: HeldMessage): DeadItem {
  const { queue, messageId, attributes, sentAt } = message;
  return {
    kind: 'message',
    id: messageItemId(queue, messageId),
    queue,
    messageId,
    merchantId: message.merchantId ?? null,
    eventId: message.eventId ?? null,
    // Without our attributes it was moved here by SQS itself, which gives no reason.
    handler: attributes['handler'] ?? 'decode',
    code: attributes['errorCode'] ?? 'unknown',
    message: attributes['reason'] ?? null,
    attempts: Number(attributes['attempts'] ?? 0),
    at: attributes['lastErrorAt'] ?? sentAt,
  };
}
