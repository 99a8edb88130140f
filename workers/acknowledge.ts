import { ChangeMessageVisibilityBatchCommand, DeleteMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';
import type { ReceivedMessage } from './message.ts';

/** Ends what a batch of messages began: for good, or for a while. Neither rejects, since both only save work. */
export interface Acknowledgements {
  /** A message that could not be deleted comes again and is found to be a duplicate. */
  delete(messages: readonly ReceivedMessage[]): Promise<void>;
  /** Makes messages visible again after a back-off that grows with their receive count, the same for all of them. */
  putBack(messages: readonly ReceivedMessage[]): Promise<void>;
}

const BATCH = 10;
const TRIES = 3;
const MAX_BACKOFF_SECONDS = 60;

export function createAcknowledgements(options: {
  sqs: SQSClient;
  queueUrl: string;
  log: Log;
  random: () => number;
}): Acknowledgements {
  const { sqs, queueUrl, log, random } = options;
  const deleting = onceWhileFailing(log, 'deleting messages');
  const puttingBack = onceWhileFailing(log, 'putting messages back');

  const deleteBatch = async (messages: readonly ReceivedMessage[]): Promise<void> => {
    let left = messages;
    let reason: unknown;
    for (let tries = 0; tries < TRIES && left.length > 0; tries++) {
      try {
        const { Failed = [] } = await sqs.send(
          new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: left.map(toEntry) }),
        );
        const failed = new Set(Failed.map(({ Id }) => Number(Id)));
        left = left.filter((_, index) => failed.has(index));
        reason = new Error(Failed[0]?.Message ?? Failed[0]?.Code);
      } catch (error) {
        reason = error;
      }
    }
    if (left.length > 0) deleting.failing(reason);
    else deleting.ok();
  };

  const putBackBatch = async (messages: readonly ReceivedMessage[], seconds: number): Promise<void> => {
    try {
      await sqs.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: queueUrl,
          Entries: messages.map((message, index) => ({ ...toEntry(message, index), VisibilityTimeout: seconds })),
        }),
      );
      puttingBack.ok();
    } catch (error) {
      // They then come back when their visibility timeout ends.
      puttingBack.failing(error);
    }
  };

  return {
    async delete(messages) {
      await Promise.all(batchesOf(messages).map(deleteBatch));
    },
    async putBack(messages) {
      if (messages.length === 0) return;
      const received = Math.max(...messages.map((message) => message.receiveCount));
      const ceiling = Math.min(MAX_BACKOFF_SECONDS, 2 ** Math.min(received, 10));
      const seconds = Math.max(1, Math.round(ceiling * (1 - random() / 2)));
      await Promise.all(batchesOf(messages).map((batch) => putBackBatch(batch, seconds)));
    },
  };
}

const toEntry = ({ receiptHandle }: ReceivedMessage, index: number) => ({
  Id: String(index),
  ReceiptHandle: receiptHandle,
});

const batchesOf = (messages: readonly ReceivedMessage[]): (readonly ReceivedMessage[])[] =>
  Array.from({ length: Math.ceil(messages.length / BATCH) }, (_, i) => messages.slice(i * BATCH, (i + 1) * BATCH));
