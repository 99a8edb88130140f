import type { EmulatorClock } from './clock.ts';
import { QueueDoesNotExistError, SqsStore } from './fauxqs-internals.ts';
import { EmulatedQueue } from './queue.ts';

/** fauxqs's store of queues, making queues of ours. */
export class QueueStore extends SqsStore {
  readonly clock: EmulatorClock;
  /** Empty, so that queue URLs carry the host and port that a client used: http://127.0.0.1:port/account/name. */
  override host = '';

  constructor(clock: EmulatorClock) {
    super();
    this.clock = clock;
    clock.onAdvance(() => {
      for (const queue of this.all()) {
        queue.tick();
        queue.cancelWaiters();
      }
    });
  }

  override createQueue(
    name: string,
    url: string,
    arn: string,
    attributes?: Record<string, string>,
    tags?: Record<string, string>,
  ): EmulatedQueue {
    const identity = { name, url, arn, ...(attributes && { attributes }), ...(tags && { tags }) };
    const queue = new EmulatedQueue(identity, this.clock, (otherArn) => this.byArn(otherArn));
    // Private in the declarations; there is no other way to put in a queue that fauxqs did not make.
    const { queues, queuesByName, queuesByArn } = this as unknown as Record<string, Map<string, EmulatedQueue>>;
    queues?.set(url, queue);
    queuesByName?.set(name, queue);
    queuesByArn?.set(arn, queue);
    return queue;
  }

  /** Throws `QueueDoesNotExist`. */
  byUrl(url: string): EmulatedQueue {
    const queue = this.getQueue(url);
    if (queue instanceof EmulatedQueue) return queue;
    throw new QueueDoesNotExistError();
  }

  byArn(arn: string): EmulatedQueue | undefined {
    const queue = this.getQueueByArn(arn);
    return queue instanceof EmulatedQueue ? queue : undefined;
  }

  *all(): IterableIterator<EmulatedQueue> {
    for (const queue of this.allQueues()) if (queue instanceof EmulatedQueue) yield queue;
  }

  /** The queues whose dead letters go to `queue`. */
  sourcesOf(queue: EmulatedQueue): EmulatedQueue[] {
    return [...this.all()].filter((source) => source.redrivePolicy()?.deadLetterTargetArn === queue.arn);
  }
}
