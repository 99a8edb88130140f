import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { SqsError } from './fauxqs-internals.ts';
import { type Message, newMessage } from './message.ts';
import type { EmulatedQueue } from './queue.ts';
import type { QueueStore } from './queue-store.ts';
import { decode } from './requests.ts';

const startRequest = z.object({
  SourceArn: z.string(),
  DestinationArn: z.string().optional(),
  MaxNumberOfMessagesPerSecond: z.number().int().min(1).max(500).optional(),
});
const listRequest = z.object({ SourceArn: z.string(), MaxResults: z.number().int().min(1).max(10).default(1) });
const cancelRequest = z.object({ TaskHandle: z.string() });

/** RUNNING ─► COMPLETED, FAILED, or (on request) CANCELLING ─► CANCELLED. Tasks do not outlive the process. */
interface MoveTask {
  readonly handle: string;
  readonly source: EmulatedQueue;
  readonly destinationArn: string | undefined;
  readonly ratePerSecond: number | undefined;
  readonly startedAt: number;
  readonly toMove: number;
  moved: number;
  status: 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLING' | 'CANCELLED';
  failure?: string;
}

/** Redrives of dead letters, at most one at a time for each dead-letter queue. */
export function createMessageMoves(store: QueueStore) {
  const tasks: MoveTask[] = [];

  const start = (body: unknown) => {
    const { SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond } = decode(startRequest, body);
    const source = existing(SourceArn, 'SourceArn');
    if (DestinationArn !== undefined) existing(DestinationArn, 'DestinationArn');
    if (store.sourcesOf(source).length === 0) {
      throw new SqsError('InvalidParameterValue', 'Source queue must be configured as a Dead Letter Queue.');
    }
    if (tasks.some((task) => task.source === source && task.status === 'RUNNING')) {
      throw new SqsError('InvalidParameterValue', 'There is already a task running for this source queue.');
    }
    const task: MoveTask = {
      handle: Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn: SourceArn })).toString('base64'),
      source,
      destinationArn: DestinationArn,
      ratePerSecond: MaxNumberOfMessagesPerSecond,
      startedAt: store.clock.now(),
      toMove: Number(source.getAttribute('ApproximateNumberOfMessages')),
      moved: 0,
      status: 'RUNNING',
    };
    tasks.unshift(task);
    setImmediate(step, task);
    return { TaskHandle: task.handle };
  };

  const step = (task: MoveTask) => {
    if (task.status === 'CANCELLING') task.status = 'CANCELLED';
    if (task.status !== 'RUNNING') return;
    const messages = task.source.withdraw(task.ratePerSecond === undefined ? 100 : 1);
    if (messages.length === 0) {
      task.status = 'COMPLETED';
      return;
    }
    for (const message of messages) move(task, message);
    if (task.ratePerSecond === undefined) setImmediate(step, task);
    else setTimeout(step, 1_000 / task.ratePerSecond, task).unref();
  };

  const move = (task: MoveTask, message: Message) => {
    const arn = task.destinationArn ?? message.deadLetterSourceArn ?? store.sourcesOf(task.source)[0]?.arn;
    const destination = arn === undefined ? undefined : store.byArn(arn);
    if (destination === undefined) {
      task.source.enqueue(message);
      task.status = 'FAILED';
      task.failure = 'AWS.SimpleQueueService.NonExistentQueue';
      return;
    }
    destination.enqueue(resent(message, destination, store.clock.now()));
    task.moved += 1;
  };

  const list = (body: unknown) => {
    const { SourceArn, MaxResults } = decode(listRequest, body);
    const source = existing(SourceArn, 'SourceArn');
    return {
      Results: tasks
        .filter((task) => task.source === source)
        .slice(0, MaxResults)
        .map(presentTask),
    };
  };

  const cancel = (body: unknown) => {
    const { TaskHandle } = decode(cancelRequest, body);
    const task = tasks.find(({ handle }) => handle === TaskHandle);
    if (task?.status !== 'RUNNING') {
      throw new SqsError(
        'ResourceNotFoundException',
        'There is no active message movement task with this handle.',
        404,
      );
    }
    task.status = 'CANCELLING';
    return { ApproximateNumberOfMessagesMoved: task.moved };
  };

  const existing = (arn: string, parameter: string): EmulatedQueue => {
    const queue = store.byArn(arn);
    if (queue !== undefined) return queue;
    throw new SqsError('ResourceNotFoundException', `The queue named by ${parameter} does not exist.`, 404);
  };

  return { start, list, cancel };
}

/** AWS: a redriven message is a new one, with its own id, time of sending and receive count. */
function resent(message: Message, destination: EmulatedQueue, now: number): Message {
  const fresh = newMessage(
    {
      body: message.body,
      attributes: message.messageAttributes,
      groupId: message.messageGroupId,
      deduplicationId: message.messageDeduplicationId,
      traceHeader: message.traceHeader,
    },
    now,
  );
  if (destination.isFifo()) fresh.sequenceNumber = destination.nextSequenceNumber();
  return fresh;
}

function presentTask(task: MoveTask) {
  return {
    ...(task.status === 'RUNNING' ? { TaskHandle: task.handle } : {}),
    Status: task.status,
    SourceArn: task.source.arn,
    ...(task.destinationArn === undefined ? {} : { DestinationArn: task.destinationArn }),
    ...(task.ratePerSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond: task.ratePerSecond }),
    ApproximateNumberOfMessagesMoved: task.moved,
    ApproximateNumberOfMessagesToMove: task.toMove,
    ...(task.failure === undefined ? {} : { FailureReason: task.failure }),
    StartedTimestamp: task.startedAt,
  };
}
