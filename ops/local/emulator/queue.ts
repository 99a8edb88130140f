import type { EmulatorClock } from './clock.ts';
import { DedupeWindow } from './dedupe-window.ts';
import { SqsError, SqsQueue } from './fauxqs-internals.ts';
import { FifoOrder } from './fifo-order.ts';
import type { Message } from './message.ts';
import { issueReceiptHandle, messageOfReceiptHandle } from './receipt-handle.ts';
import { parseRedrivePolicy, type RedrivePolicy } from './redrive-policy.ts';
import { StandardOrder } from './standard-order.ts';
import { WakeUps } from './wake-ups.ts';

/** The order in which a queue hands out what is visible. */
export interface ReadyMessages {
  /** Puts a message where it belongs: new ones last, one that comes back from flight in its old place (FIFO). */
  add(message: Message): void;
  /** Takes up to `max` into flight. One that `accept` declines is gone from here but not in flight. */
  take(max: number, accept: (message: Message) => boolean): Message[];
  /** Tells that a message taken earlier is no longer in flight, deleted or not. */
  leaveFlight(message: Message): void;
  remove(message: Message): void;
  /** Takes up to `max` away for good, in the order in which they would be received. */
  withdraw(max: number): Message[];
}

/**
 * A queue with the behaviour that AWS documents, in place of fauxqs's own. A message is
 *
 *   delayed ─► ready ─► in flight ─► deleted
 *                ▲          │
 *                └──────────┘ visibility ran out, or was set to 0
 *
 * and may at any time be dropped by retention; a receive that would exceed `maxReceiveCount` moves it to the
 * dead-letter queue instead. Time passes only in `tick`, which everything calls first: counts are never stale.
 */
export class EmulatedQueue extends SqsQueue {
  readonly dedupe = new DedupeWindow();
  readonly #clock: EmulatorClock;
  readonly #findQueue: (arn: string) => EmulatedQueue | undefined;
  /** Everything here, in order of arrival. */
  readonly #all = new Map<string, Message>();
  #ready: ReadyMessages;
  readonly #delayed = new Set<Message>();
  readonly #inFlight = new Map<string, { message: Message; visibleAt: number }>();
  readonly #wakeUps: WakeUps;
  #purgedAt = -Infinity;

  constructor(
    identity: {
      name: string;
      url: string;
      arn: string;
      attributes?: Record<string, string>;
      tags?: Record<string, string>;
    },
    clock: EmulatorClock,
    findQueue: (arn: string) => EmulatedQueue | undefined,
  ) {
    super(identity.name, identity.url, identity.arn, identity.attributes, identity.tags);
    this.#clock = clock;
    this.#findQueue = findQueue;
    this.#wakeUps = new WakeUps(clock, () => this.tick());
    this.#ready = this.#emptyOrder();
  }

  override enqueue(message: Message): void {
    const now = this.#clock.now();
    this.#all.set(message.messageId, message);
    const delayedUntil = this.#delayOf(message);
    this.#wakeUps.dueAt(message.retainedFrom + this.#retentionMs());
    if (delayedUntil > now) {
      message.delayUntil = delayedUntil;
      this.#delayed.add(message);
      this.#wakeUps.dueAt(delayedUntil);
    } else {
      this.#ready.add(message);
      this.#wakeUps.wake();
    }
  }

  receive(max: number, visibilitySeconds = Number(this.attributes['VisibilityTimeout'])): Message[] {
    this.tick();
    const now = this.#clock.now();
    const { deadLetterTargetArn = '', maxReceiveCount = Infinity } = this.redrivePolicy() ?? {};
    const deadLetterQueue = this.#findQueue(deadLetterTargetArn);
    const taken = this.#ready.take(max, (message) => {
      if (deadLetterQueue === undefined || message.approximateReceiveCount < maxReceiveCount) return true;
      this.#all.delete(message.messageId);
      deadLetterQueue.takeDeadLetter(message, this.arn);
      return false;
    });
    for (const message of taken) {
      message.approximateReceiveCount += 1;
      message.approximateFirstReceiveTimestamp ??= now;
      message.lastReceiptHandle = issueReceiptHandle(this.name, message.messageId);
      const visibleAt = now + visibilitySeconds * 1_000;
      this.#inFlight.set(message.lastReceiptHandle, { message, visibleAt });
      this.#wakeUps.dueAt(visibleAt);
    }
    return taken;
  }

  /** Undoes a receive whose answer could not be delivered: as if it had not happened. */
  unreceive(messages: readonly Message[]): void {
    for (const message of messages) {
      const handle = message.lastReceiptHandle ?? '';
      if (this.#inFlight.get(handle)?.message !== message) continue;
      message.approximateReceiveCount -= 1;
      this.#makeVisible(handle, message);
    }
    this.#wakeUps.wake();
  }

  delete(receiptHandle: string): void {
    this.tick();
    const messageId = this.#messageIdOf(receiptHandle);
    const entry = this.#inFlight.get(receiptHandle);
    const message = entry?.message ?? this.#all.get(messageId);
    // Deleted before: doing it twice is no error.
    if (message === undefined) return;
    if (entry !== undefined) {
      this.#inFlight.delete(receiptHandle);
      this.#all.delete(messageId);
      this.#ready.leaveFlight(message);
      // Its group may be open now.
      if (this.isFifo()) this.#wakeUps.wake();
      return;
    }
    if (this.isFifo()) {
      throw new SqsError(
        'InvalidParameterValue',
        `Value ${receiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
      );
    }
    if (message.lastReceiptHandle === receiptHandle) {
      this.#ready.remove(message);
      this.#all.delete(messageId);
    }
  }

  override changeVisibility(receiptHandle: string, seconds: number): void {
    this.tick();
    const messageId = this.#messageIdOf(receiptHandle);
    const entry = this.#inFlight.get(receiptHandle);
    if (entry === undefined) {
      if (this.#all.has(messageId)) throw new SqsError('MessageNotInflight', 'The specified message is not in flight.');
      throw new SqsError(
        'InvalidParameterValue',
        `Value ${receiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
      );
    }
    if (seconds === 0) {
      this.#makeVisible(receiptHandle, entry.message);
      this.#wakeUps.wake();
      return;
    }
    entry.visibleAt = this.#clock.now() + seconds * 1_000;
    this.#wakeUps.dueAt(entry.visibleAt);
  }

  /** Lets the time that has passed take effect. */
  tick(): void {
    const now = this.#clock.now();
    if (!this.#wakeUps.takeDue(now)) return;
    let visible = false;
    for (const [handle, { message, visibleAt }] of this.#inFlight) {
      if (visibleAt > now) {
        this.#wakeUps.dueAt(visibleAt);
        continue;
      }
      this.#makeVisible(handle, message);
      visible = true;
    }
    for (const message of this.#delayed) {
      if (message.delayUntil !== undefined && message.delayUntil > now) {
        this.#wakeUps.dueAt(message.delayUntil);
        continue;
      }
      this.#delayed.delete(message);
      this.#ready.add(message);
      visible = true;
    }
    this.#dropExpired(now);
    if (visible) this.#wakeUps.wake();
  }

  /** Takes visible messages away for good, in order: what a redrive moves elsewhere. */
  withdraw(max: number): Message[] {
    this.tick();
    const withdrawn = this.#ready.withdraw(max);
    for (const message of withdrawn) this.#all.delete(message.messageId);
    return withdrawn;
  }

  takeDeadLetter(message: Message, sourceArn: string): void {
    message.deadLetterSourceArn = sourceArn;
    delete message.delayUntil;
    // A standard queue counts retention from the first sending, a FIFO queue from the arrival here.
    if (this.isFifo()) {
      message.retainedFrom = this.#clock.now();
      message.sequenceNumber = this.nextSequenceNumber();
    }
    this.enqueue(message);
  }

  /** Calls `poller` whenever something may have become visible, until the returned function is called. */
  onVisible(poller: () => void): () => void {
    return this.#wakeUps.add(poller);
  }

  /** Lets every waiting receive look again: time was advanced, or the queue is gone. */
  override cancelWaiters(): void {
    this.#wakeUps.wake();
  }

  override purge(): void {
    const now = this.#clock.now();
    if (now < this.#purgedAt + 60_000) {
      throw new SqsError(
        'PurgeQueueInProgress',
        `Only one PurgeQueue operation on ${this.name} is allowed every 60 seconds.`,
      );
    }
    this.#purgedAt = now;
    this.#all.clear();
    this.#delayed.clear();
    this.#inFlight.clear();
    this.#ready = this.#emptyOrder();
  }

  override setAttributes(attributes: Record<string, string>): void {
    super.setAttributes(attributes);
    // Retention may have become shorter.
    this.#wakeUps.dueAt(0);
  }

  override getAttribute(name: Parameters<SqsQueue['getAttribute']>[0]): string | undefined {
    this.tick();
    const hidden = this.#inFlight.size + this.#delayed.size;
    if (name === 'ApproximateNumberOfMessages') return String(this.#all.size - hidden);
    if (name === 'ApproximateNumberOfMessagesNotVisible') return String(this.#inFlight.size);
    if (name === 'ApproximateNumberOfMessagesDelayed') return String(this.#delayed.size);
    return super.getAttribute(name);
  }

  /** Every message in order of arrival, for the state file. */
  snapshot(): Message[] {
    this.tick();
    return [...this.#all.values()];
  }

  #makeVisible(handle: string, message: Message): void {
    this.#inFlight.delete(handle);
    // Back in its place first: a group that counts none in flight is open at once.
    this.#ready.add(message);
    this.#ready.leaveFlight(message);
  }

  #dropExpired(now: number): void {
    const retentionMs = this.#retentionMs();
    for (const message of this.#all.values()) {
      const expiresAt = message.retainedFrom + retentionMs;
      if (expiresAt > now) {
        this.#wakeUps.dueAt(expiresAt);
        continue;
      }
      this.#all.delete(message.messageId);
      this.#delayed.delete(message);
      const handle = message.lastReceiptHandle ?? '';
      if (this.#inFlight.delete(handle)) this.#ready.leaveFlight(message);
      else this.#ready.remove(message);
    }
  }

  /** On a FIFO queue nobody overtakes a delayed message of the group, also after the delay was set to 0. */
  #delayOf(message: Message): number {
    let until = message.delayUntil ?? 0;
    if (!this.isFifo()) return until;
    for (const delayed of this.#delayed) {
      if (delayed.messageGroupId === message.messageGroupId) until = Math.max(until, delayed.delayUntil ?? 0);
    }
    return until;
  }

  /** Empty policies are none: that is how AWS takes one away. */
  redrivePolicy(): RedrivePolicy | undefined {
    return parseRedrivePolicy(this.attributes['RedrivePolicy']);
  }

  #messageIdOf(receiptHandle: string): string {
    const messageId = messageOfReceiptHandle(this.name, receiptHandle);
    if (messageId !== undefined) return messageId;
    throw new SqsError(
      'ReceiptHandleIsInvalid',
      `The input receipt handle "${receiptHandle}" is not a valid receipt handle.`,
    );
  }

  #emptyOrder(): ReadyMessages {
    return this.isFifo() ? new FifoOrder() : new StandardOrder();
  }

  #retentionMs(): number {
    return Number(this.attributes['MessageRetentionPeriod']) * 1_000;
  }
}
