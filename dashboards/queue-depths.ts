import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Topology } from '../core/events/topology.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { remember } from './remember.ts';

/** Messages visible and in flight; `unavailable` says why there is no figure. */
export type Depth = { readonly messages: number } | { readonly unavailable: string };

export interface QueueDepth {
  /** The specification's names. */
  queue: string;
  deadLetterQueue: string;
  depth: Depth;
  deadLetters: Depth;
}

const MAX_AGE_MS = 5_000;
const DEADLINE_MS = 2_000;

/** Depths of every queue and its DLQ. Never rejects: a queue that cannot be asked says so. */
export function createQueueDepths(
  sqs: SQSClient,
  topology: Topology,
  clock: Clock,
): () => Promise<readonly QueueDepth[]> {
  const urls = new Map<string, string>();

  const ask = async (physicalName: string, signal: AbortSignal): Promise<Depth> => {
    const url =
      urls.get(physicalName) ??
      (await sqs.send(new GetQueueUrlCommand({ QueueName: physicalName }), { abortSignal: signal })).QueueUrl;
    if (url === undefined) throw new Error('the queue has no URL');
    urls.set(physicalName, url);
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
      { abortSignal: signal },
    );
    return {
      messages:
        Number(Attributes?.['ApproximateNumberOfMessages'] ?? 0) +
        Number(Attributes?.['ApproximateNumberOfMessagesNotVisible'] ?? 0),
    };
  };

  const depthOf = async (physicalName: string): Promise<Depth> => {
    try {
      return await withDeadline(`asking SQS about ${physicalName}`, DEADLINE_MS, (signal) => ask(physicalName, signal));
    } catch (error) {
      // A queue that was deleted and made again has another URL.
      urls.delete(physicalName);
      const name = error instanceof Error ? error.name : '';
      const missing = /NonExistent|DoesNotExist/.test(name);
      return { unavailable: missing ? 'not provisioned' : 'SQS does not answer' };
    }
  };

  return remember(clock, MAX_AGE_MS, () =>
    Promise.all(
      topology.queues.map(async (queue) => {
        const [depth, deadLetters] = await Promise.all([
          depthOf(queue.physicalName),
          depthOf(queue.deadLetterQueue.physicalName),
        ]);
        return { queue: queue.name, deadLetterQueue: queue.deadLetterQueue.name, depth, deadLetters };
      }),
    ),
  );
}
