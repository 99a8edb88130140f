import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { BenchEvent } from './load.ts';

const batchSize = 10;

/**
 * Sends events to a FIFO queue with the merchant as group, several batches at a time but never two of one merchant, so
 * that a merchant's order stays. Resolves when SQS has taken all.
 */
export async function sendEvents(
  sqs: SQSClient,
  queueUrl: string,
  events: readonly BenchEvent[],
  inFlight = 8,
): Promise<void> {
  const merchants = [...Map.groupBy(events, (event) => event.merchantId).values()];
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let own = merchants[next++]; own !== undefined; own = merchants[next++]) {
        for (let at = 0; at < own.length; at += batchSize) {
          const { Failed = [] } = await sqs.send(
            new SendMessageBatchCommand({
              QueueUrl: queueUrl,
              Entries: own.slice(at, at + batchSize).map((event, index) => ({
                Id: String(index),
                MessageGroupId: event.merchantId,
                MessageDeduplicationId: event.eventId,
                MessageBody: event.body,
              })),
            }),
          );
          if (Failed.length > 0) throw new Error(`the queue refused ${Failed.length} messages: ${Failed[0]?.Message}`);
        }
      }
    }),
  );
}
