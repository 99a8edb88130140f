import type { Transaction } from 'kysely';
import type { Database } from '../database/tables.ts';
import type { LanewayError } from '../runtime/errors.ts';
import type { DestinationLimits } from './destination-limits.ts';
import type { Emission, Intent } from './handler.ts';
import type { RetryPolicy } from '../runtime/retry.ts';

/** One call to make an intent true. */
export interface EffectCall {
  merchantId: string;
  destination: string;
  objectKey: string;
  version: number;
  desired: Record<string, unknown>;
  /** What the destination calls the object, once known. */
  externalId: string | undefined;
  /** Derived from object, version and content: the same for every try of the same call. */
  idempotencyKey: string;
  /** The event that declared the intent. */
  eventId: string;
  correlationId: string;
  traceparent: string;
}

/** What the destination holds now. */
export interface EffectResult {
  externalId: string;
  actual: Record<string, unknown>;
}

export interface EffectContext {
  now: number;
  /** Publishes an event with the outcome, in the same transaction. Ids derive from the call. */
  emit(emission: Emission): void;
  /** Declares what is to be made true next at the same destination, in the same transaction. */
  intend(intent: Omit<Intent, 'destination'>): void;
}

/** How long effects go on trying. */
export interface Patience {
  retry: RetryPolicy;
  /** For how long the destination may be away, or refuse for the moment, before what waits for it is given up. */
  awayMs: number;
}

/**
 * An outside system that holds state. Its driver makes calls and knows how the owning context records their outcome; when
 * and whether to call is the effect actor's business.
 *
 * Errors of `send` and `probe`: `effect.rejected` (retry never) when the destination refused; `effect.unavailable` (retry
 * backoff) when the call was certainly not carried out, `effect.limited` when that was for calling too often,
 * `effect.unauthorized` when it was for our credentials, `effect.conflict` when somebody else was changing the object;
 * `effect.outcome_unknown` when it may have been. `retryAfterMs` in the detail of the two says for how long the destination
 * wants to be left alone. A `probe` that throws `effect.outcome_unknown` with retry never says that nobody will ever find
 * out: the effect is given up without being sent again.
 */
export interface DestinationDriver {
  /** What the destination allows. */
  limits(destination: string): DestinationLimits;
  /** Instead of what all effects have: three retries, and a day for a destination that is away. */
  patience?: Patience;
  send(call: EffectCall, signal: AbortSignal): Promise<EffectResult>;
  /** Looks the object up by its natural key. Undefined when the destination does not hold it. */
  probe(call: EffectCall, signal: AbortSignal): Promise<EffectResult | undefined>;
  /** True when `actual` is what `desired` asks for, so that nothing needs to be sent. */
  satisfies(call: EffectCall, result: EffectResult): boolean;
  /** Optional read after a successful send, outside any transaction; what it returns goes to `recordSuccess`. */
  observe?(call: EffectCall, result: EffectResult, signal: AbortSignal): Promise<Record<string, unknown> | undefined>;
  recordSuccess(
    trx: Transaction<Database>,
    call: EffectCall,
    result: EffectResult,
    observed: Record<string, unknown> | undefined,
    context: EffectContext,
  ): Promise<void>;
  /** Called when the effect is given up: it goes to the DLQ. */
  recordFailure(
    trx: Transaction<Database>,
    call: EffectCall,
    error: LanewayError,
    context: EffectContext,
  ): Promise<void>;
}
