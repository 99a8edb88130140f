import { type OutboxAddresses, batchesOf, createPublisher } from './outbox-publish.ts';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { PublishEvents } from '../core/contexts/core-platform/import-driver.ts';
import { shardOf } from '../core/runtime/ids.ts';
import { OUTBOX_SHARDS, eventRow } from '../core/database/outbox.ts';
import { LanewayError, coerceError } from '../core/runtime/errors.ts';

const BATCH_TIMEOUT_MS = 10_000;

/**
 * Publishes bulk work without the outbox, batch after batch: for events whose ids derive from what they are about, so that
 * whoever does not know whether they were sent sends them again. The order is that of the list; after a batch that was not
 * taken as a whole nothing further is sent.
 */
export function createPublishEvents(options: {
  sqs: SQSClient;
  sns: SNSClient;
  addresses: OutboxAddresses;
}): PublishEvents {
  const publisher = createPublisher({ ...options, timeoutMs: BATCH_TIMEOUT_MS });
  return async (events, signal) => {
    const heads = events.map((event, index) => {
      const { merchantId, destination, deduplicationId, attributes, body, stream } = eventRow(event);
      const shard = shardOf(merchantId, OUTBOX_SHARDS);
      return { merchantId, destination, deduplicationId, attributes, body, stream, shard, seq: index, attempts: 0 };
    });
    for (const batch of batchesOf(heads)) {
      signal.throwIfAborted();
      const [first] = batch;
      if (first === undefined) continue;
      const answers = await publisher.publish(first.destination, batch).catch((error: unknown) => {
        throw new LanewayError('effect.unavailable', coerceError(error).message, { retry: 'backoff', cause: error });
      });
      const fault = answers.find((answer) => answer.kind !== 'sent');
      if (fault !== undefined)
        throw new LanewayError('effect.unavailable', `a batch was not taken: ${fault.error}`, { retry: 'backoff' });
    }
  };
}
