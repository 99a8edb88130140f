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
}

/** A send that was acknowledged, in the order in which its merchant's sends to that queue or topic were. */
export interface SentEvent extends LoadEvent {
  readonly sentAtMs: number;
}
