import type { Kysely } from 'kysely';
import { type BreakerState, beginCall, closedBreaker, endCall } from './breaker.ts';
import { type Quota, createQuota } from './quota.ts';
import type { Database } from '../core/database/tables.ts';
import type { DestinationLimits } from '../core/events/destination-limits.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { LanewayError } from '../core/runtime/errors.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/** Whether calls to a destination may begin now: its breaker and its quota, in one answer. */
export interface EffectLimits {
  /** Rejects when Postgres is away. */
  admit(destination: string, calls: number, turnAt: number | undefined): Promise<Admission>;
  /** Gives back what quota is held. */
  release(): Promise<void>;
}

export type Admission =
  | { kind: 'admitted'; permit: CallPermit }
  /** `away`: the destination does not answer. `quota`: it answers, but not so often. */
  | { kind: 'wait'; reason: 'away' | 'quota'; until: number; turnAt: number | undefined };

/** Covers the calls for one effect. Ends with its disposal; what was not used is given back. */
export interface CallPermit extends Disposable {
  /** Whether the next call is the one by which it is found out whether the destination is back. */
  readonly trial: boolean;
  /** Calls that are still covered. */
  readonly left: number;
  /** A call is about to be made. One more than is covered is owed, not refused. */
  spend(): void;
  answered(): void;
  /** What a call failed with: it may say that the destination is away, or wants to be left alone. */
  failed(error: LanewayError): Promise<void>;
}

/** A destination that names no time, and the longest that is believed. */
const PAUSE_MS = 5_000;
const PAUSE_MAX_MS = 3_600_000;
/** Lanes that wait for the same moment are spread over this share of the wait. */
const SPREAD = 0.25;

export function createEffectLimits(options: {
  db: Kysely<Database>;
  limitsOf: (destination: string) => DestinationLimits;
  clock: Clock;
  random: () => number;
  log: Log;
}): EffectLimits {
  const { clock, log, random } = options;
  const quota = createQuota(options);
  const breakers = new Map<string, { state: BreakerState; trouble: ReturnType<typeof onceWhileFailing> }>();

  const breakerOf = (destination: string) => {
    const found = breakers.get(destination) ?? {
      state: closedBreaker,
      trouble: onceWhileFailing(log, `calls to ${destination}`),
    };
    breakers.set(destination, found);
    return found;
  };

  const away = (until: number): Admission => {
    const now = clock.now();
    return {
      kind: 'wait',
      reason: 'away',
      until: Math.ceil(until + (until - now) * SPREAD * random()),
      turnAt: undefined,
    };
  };

  return {
    async admit(destination, calls, turnAt) {
      const breaker = breakerOf(destination);
      // Looked at first, so that a destination that is away uses up no quota.
      const look = beginCall(breaker.state, clock.now()).entry;
      if (look.kind === 'wait') return away(look.until);
      const grant = await quota.take(destination, calls, turnAt);
      if (grant.kind === 'wait') return { ...grant, reason: 'quota' };
      const { entry, state } = beginCall(breaker.state, clock.now());
      if (entry.kind === 'wait') {
        quota.putBack(destination, grant.tokens);
        return away(entry.until);
      }
      breaker.state = state;
      return { kind: 'admitted', permit: createPermit(destination, grant.tokens, entry.trial, quota) };
    },
    release: () => quota.release(),
  };

  function createPermit(destination: string, granted: number, trial: boolean, from: Quota): CallPermit {
    const breaker = breakerOf(destination);
    let left = granted;
    let onTrial = trial;
    const end = (answered: boolean | undefined) => {
      const before = breaker.state.kind;
      breaker.state = endCall(breaker.state, { now: clock.now(), trial: onTrial, answered });
      onTrial = false;
      if (breaker.state.kind === 'closed' && before === 'half-open') breaker.trouble.ok();
    };
    return {
      get trial() {
        return onTrial;
      },
      get left() {
        return left;
      },
      spend() {
        left -= 1;
      },
      answered: () => end(true),
      async failed(error) {
        const silent = error.code === 'effect.unavailable' || error.code === 'effect.outcome_unknown';
        end(!silent);
        if (breaker.state.kind === 'open') breaker.trouble.failing(error);
        const asked = error.detail['retryAfterMs'];
        if (error.code !== 'effect.limited' && typeof asked !== 'number') return;
        const pauseMs = Math.min(PAUSE_MAX_MS, typeof asked === 'number' ? asked : PAUSE_MS);
        try {
          await from.pause(destination, clock.now() + pauseMs);
        } catch (cause) {
          // The next call hears it again.
          log.debug('a pause could not be written down', { destination, error: String(cause) });
        }
      },
      [Symbol.dispose]() {
        if (onTrial) end(undefined);
        from.putBack(destination, left);
        left = 0;
      },
    };
  }
}
