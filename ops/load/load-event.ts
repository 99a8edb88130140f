import type { RawEnvelope } from '../../core/events/envelope.ts';

/** One send. A repeat carries the same bytes under another deduplication id: what a producer's retry looks like. */
export interface LoadEvent {
  readonly merchantId: string;
  readonly event: RawEnvelope;
  /** The envelope as it is sent. */
  readonly body: string;
  readonly channel: 'queue' | 'topic';
  /** The specification's name of that queue or topic. */
  readonly name: string;
  readonly deduplicationId: string;
  /** The event that this send repeats. */
  readonly resendOf?: string;
  /** Cannot be read: it must end in the dead-letter queue, and nowhere else. */
  readonly isPoison?: true;
  /** Closes its merchant's month, so that what went before must have taken effect when it is sent. */
  readonly isClosing?: true;
}

/** A send that was acknowledged, in the order in which its merchant's sends to that queue or topic were. */
export interface SentEvent extends LoadEvent {
  readonly sentAtMs: number;
}
