import type { EffectClaims } from './effect-claims.ts';
import type { EffectKey, EffectTenure } from './effect-lane.ts';
import type { CallPermit, EffectLimits } from './effect-limits.ts';
import {
  type Attempted,
  type EffectFailure,
  type OutcomeDependencies,
  type Recorded,
  recordFailure,
  recordSuccess,
} from './effect-outcome.ts';
import type { DestinationDriver, EffectCall, EffectResult } from '../core/events/destination.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { LanewayError, coerceError, isInfrastructureError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';

export interface EffectRunDependencies extends OutcomeDependencies {
  clock: Clock;
  claims: EffectClaims;
  limits: EffectLimits;
  leaseMs: number;
  quantumMs: number;
  log: Log;
  /** Called when a transaction wrote to the outbox. */
  emitted(): void;
}

export interface EffectRun {
  key: EffectKey;
  tenure: EffectTenure;
  driver: DestinationDriver;
  /** Fires when the activation is not ours any more, or the worker stops: nothing new is begun. */
  stop: AbortSignal;
  /** Renews the lease for a whole term; false when it is not ours any more. */
  renew(): Promise<boolean>;
}

/** Records what a call, a look-up or a claim says the destination holds now. */
export async function succeed(
  deps: EffectRunDependencies,
  run: EffectRun,
  attempted: Attempted,
  result: EffectResult,
  permit: CallPermit,
): Promise<void> {
  const { call, intent } = attempted;
  const [observed] = await Promise.all([
    observe(deps, run, call, result, permit),
    deps.claims.complete(call.idempotencyKey, run.tenure.owner, result),
  ]);
  try {
    const recorded = await persist(deps, () =>
      recordSuccess(deps, run.driver, attempted, result, observed, deps.clock.now()),
    );
    report(deps, attempted, recorded);
  } catch (error) {
    if (isInfrastructureError(error)) throw error;
    // The context could not record it: that must end too, so it counts like a failed look-up.
    const known: Attempted = { ...attempted, intent: { ...intent, externalId: result.externalId } };
    await fail(deps, run, known, { kind: 'unresolved', error: coerceError(error) });
  }
}

async function observe(
  deps: EffectRunDependencies,
  run: EffectRun,
  call: EffectCall,
  result: EffectResult,
  permit: CallPermit,
): Promise<Record<string, unknown> | undefined> {
  const { driver } = run;
  // What can be read later is not worth a call that the quota does not cover.
  if (driver.observe === undefined || permit.left < 1) return undefined;
  permit.spend();
  try {
    return await withDeadline('observing', deps.leaseMs / 4, async (signal) => driver.observe?.(call, result, signal));
  } catch (error) {
    deps.log.debug('nothing observed after an effect', { ...run.key, error: String(error) });
    return undefined;
  }
}

export async function fail(
  deps: EffectRunDependencies,
  run: EffectRun,
  attempted: Attempted,
  failure: EffectFailure,
): Promise<void> {
  const recorded = await persist(deps, () => recordFailure(deps, run.driver, attempted, failure, deps.clock.now()));
  report(deps, attempted, recorded, failure.error);
}

const PERSIST_TRIES = 5;

/** What was found out is worth a few tries: otherwise it has to be found out again after the quarantine. */
async function persist<T>(deps: EffectRunDependencies, write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (error) {
      const lost = error instanceof LanewayError && error.code === 'fence.lost';
      if (lost || !isInfrastructureError(error) || tries === PERSIST_TRIES) throw error;
      await deps.clock.sleep(50 * 2 ** tries);
    }
  }
}

function report(
  deps: EffectRunDependencies,
  { key, intent }: Attempted,
  recorded: Recorded,
  error?: LanewayError,
): void {
  const about = {
    ...key,
    objectKey: intent.objectKey,
    version: intent.version,
    eventId: intent.eventId,
    correlationId: intent.correlationId,
    ...(error === undefined ? {} : { code: error.code, error: error.message }),
  };
  switch (recorded) {
    case 'done':
      deps.emitted();
      return;
    case 'dead':
      deps.log.error('effect given up', about);
      deps.emitted();
      return;
    case 'retrying':
      deps.log.warn('effect failed, will try again', about);
      return;
    case 'superseded':
      deps.log.info('effect ended with something newer waiting', about);
      deps.emitted();
      return;
    case 'overtaken':
      deps.log.warn('outcome of an effect came too late: it was dealt with', about);
      return;
    default:
      recorded satisfies never;
  }
}
