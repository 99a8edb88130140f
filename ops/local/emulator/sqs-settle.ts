import { z } from 'zod';
import { SqsError } from './fauxqs-internals.ts';
import type { EmulatedQueue } from './queue.ts';
import type { QueueStore } from './queue-store.ts';
import { decode, eachOfBatch, refuseFaultyBatch } from './requests.ts';

const deletion = { ReceiptHandle: z.string() };
const deleteRequest = z.object({ QueueUrl: z.string(), ...deletion });
const deleteBatchRequest = z.object({
  QueueUrl: z.string(),
  Entries: z.array(z.object({ Id: z.string(), ...deletion })).default([]),
});

export function deleteMessage(store: QueueStore, body: unknown) {
  const { QueueUrl, ReceiptHandle } = decode(deleteRequest, body);
  store.byUrl(QueueUrl).delete(ReceiptHandle);
  return {};
}

export function deleteMessageBatch(store: QueueStore, body: unknown) {
  const { QueueUrl, Entries } = decode(deleteBatchRequest, body);
  const queue = store.byUrl(QueueUrl);
  refuseFaultyBatch(Entries);
  return eachOfBatch(Entries, ({ ReceiptHandle }) => {
    queue.delete(ReceiptHandle);
    return {};
  });
}

const visibility = { ReceiptHandle: z.string(), VisibilityTimeout: z.number() };
const visibilityRequest = z.object({ QueueUrl: z.string(), ...visibility });
const visibilityBatchRequest = z.object({
  QueueUrl: z.string(),
  Entries: z.array(z.object({ Id: z.string(), ...visibility })).default([]),
});

export function changeMessageVisibility(store: QueueStore, body: unknown) {
  const request = decode(visibilityRequest, body);
  changeVisibility(store.byUrl(request.QueueUrl), request);
  return {};
}

export function changeMessageVisibilityBatch(store: QueueStore, body: unknown) {
  const { QueueUrl, Entries } = decode(visibilityBatchRequest, body);
  const queue = store.byUrl(QueueUrl);
  refuseFaultyBatch(Entries);
  return eachOfBatch(Entries, (entry) => {
    changeVisibility(queue, entry);
    return {};
  });
}

function changeVisibility(queue: EmulatedQueue, entry: { ReceiptHandle: string; VisibilityTimeout: number }): void {
  if (entry.VisibilityTimeout < 0 || entry.VisibilityTimeout > 43_200) {
    throw new SqsError(
      'InvalidParameterValue',
      `Value ${entry.VisibilityTimeout} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.`,
    );
  }
  queue.changeVisibility(entry.ReceiptHandle, entry.VisibilityTimeout);
}
