import { PublishBatchCommand, type SNSClient } from '@aws-sdk/client-sns';
import { type SQSClient, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import type { Head } from './outbox-rows.ts';
import { MAX_MESSAGE_BYTES } from '../core/events/dead-letter.ts';
import { encodeMerchant } from '../core/runtime/ids.ts';

/** Queue URLs and topic ARNs by the specification's names. */
export interface OutboxAddresses {
  queues: Readonly<Record<string, string>>;
  topics: Readonly<Record<string, string>>;
}

/** What became of one row of a batch. */
export type Acknowledgement =
  | { kind: 'sent' }
  | { kind: 'refused'; error: string }
  /** No destination will ever take this row. */
  | { kind: 'unsendable'; error: string };

export interface Publisher {
  /** One batch to one destination, in the order given. Throws when the call as a whole failed: nothing is known then. */
  publish(destination: string, batch: readonly Head[]): Promise<readonly Acknowledgement[]>;
}

const MAX_ENTRIES = 10;

/** Splits rows into batches that the services take: ten entries, and 1 MiB of bodies and attributes together. */
export function batchesOf(heads: readonly Head[]): Head[][] {
  const batches: Head[][] = [];
  let batch: Head[] = [];
  let bytes = 0;
  for (const head of heads) {
    const size = sizeOf(head);
    if (batch.length === MAX_ENTRIES || (batch.length > 0 && bytes + size > MAX_MESSAGE_BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(head);
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function sizeOf({ body, attributes }: Head): number {
  let size = body.length;
  for (const [name, value] of Object.entries(attributes))
    size += Buffer.byteLength(name) + Buffer.byteLength(value) + 'String'.length;
  return size;
}

export function createPublisher(options: {
  sqs: SQSClient;
  sns: SNSClient;
  addresses: OutboxAddresses;
  timeoutMs: number;
}): Publisher {
  const { sqs, sns, addresses, timeoutMs } = options;

  const send = async (destination: string, batch: readonly Head[]): Promise<BatchAnswer> => {
    const abort = { abortSignal: AbortSignal.timeout(timeoutMs) };
    const [channel, name = ''] = destination.split(':', 2);
    const address = channel === 'topic' ? addresses.topics[name] : addresses.queues[name];
    if (address === undefined) throw new Error(`there is no address for ${destination}`);
    const fifo = address.endsWith('.fifo');
    if (channel === 'topic') {
      const entries = batch.map((head, index) => ({
        Id: String(index),
        Message: head.body.toString('utf8'),
        MessageAttributes: messageAttributes(head),
        ...ordering(head, fifo),
      }));
      return await sns.send(new PublishBatchCommand({ TopicArn: address, PublishBatchRequestEntries: entries }), abort);
    }
    const entries = batch.map((head, index) => ({
      Id: String(index),
      MessageBody: head.body.toString('utf8'),
      MessageAttributes: messageAttributes(head),
      ...ordering(head, fifo),
    }));
    return await sqs.send(new SendMessageBatchCommand({ QueueUrl: address, Entries: entries }), abort);
  };

  const publish: Publisher['publish'] = async (destination, batch) => {
    let answer: BatchAnswer;
    try {
      answer = await send(destination, batch);
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      // A fault of one row can fail the call for all: each on its own tells which.
      if (batch.length === 1) return [{ kind: 'unsendable', error: describe(error) }];
      const alone: Acknowledgement[] = [];
      for (const head of batch) alone.push(...(await publish(destination, [head])));
      return alone;
    }
    return batch.map((_, index) => acknowledgementOf(answer, String(index)));
  };
  return { publish };
}

interface BatchAnswer {
  Successful?: readonly { Id?: string | undefined }[] | undefined;
  Failed?:
    | readonly {
        Id: string | undefined;
        Code: string | undefined;
        Message?: string | undefined;
        SenderFault: boolean | undefined;
      }[]
    | undefined;
}

function acknowledgementOf(answer: BatchAnswer, id: string): Acknowledgement {
  if (answer.Successful?.some((entry) => entry.Id === id) === true) return { kind: 'sent' };
  const failed = answer.Failed?.find((entry) => entry.Id === id);
  const code = failed?.Code ?? 'missing from the answer';
  const error = failed?.Message === undefined ? code : `${code}: ${failed.Message}`;
  return { kind: failed?.SenderFault === true && !canPass(code) ? 'unsendable' : 'refused', error };
}

/** The merchant is the group: its order on FIFO routes, its fair share on standard ones. */
const ordering = (head: Head, fifo: boolean) => ({
  MessageGroupId: encodeMerchant(head.merchantId),
  ...(fifo ? { MessageDeduplicationId: head.deduplicationId } : {}),
});

/** The services refuse an attribute that is empty. */
const messageAttributes = (head: Head) =>
  Object.fromEntries(
    Object.entries(head.attributes)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
  );

/** Sender faults that say nothing about the row: too fast, or not allowed now. Time or an operator ends them. */
const canPass = (code: string): boolean =>
  /throttl|toomanyrequests|limitexceeded|kms|access|auth|token|signature|optin|notfound|nonexistent|doesnotexist|unavailable|internal/i.test(
    code,
  );

const CONTENT_FAULTS =
  /InvalidMessageContents|InvalidParameter|InvalidAttribute|MessageTooLong|TooLong|ValidationError|ValidationException/i;

/** A wrong address is a fault of the configuration: no row may end because of it. */
const isAboutContent = (error: unknown): boolean =>
  error instanceof Error && CONTENT_FAULTS.test(error.name) && !/TopicArn|QueueUrl/i.test(error.message);
const describe = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
