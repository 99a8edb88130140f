import type { Claim } from './effect-claims.ts';
import { type EffectRun, type EffectRunDependencies, fail, succeed } from './effect-conclude.ts';
import { type EffectKey, type OpenIntent, markSending, postponeIntent, takeDueIntent } from './effect-lane.ts';
import type { CallPermit } from './effect-limits.ts';
import { type Attempted, type EffectFailure, wasNotCarriedOut } from './effect-outcome.ts';
import { leaveEffectLane } from './leave-effect-lane.ts';
import type { DestinationDriver, EffectCall, EffectResult } from '../core/events/destination.ts';
import { withDeadline } from '../core/runtime/deadline.ts';
import { LanewayError, coerceError, isInfrastructureError } from '../core/runtime/errors.ts';
import { contentHash } from '../core/runtime/ids.ts';

/**
 * One run of an actor over an effect lane: the intents that are due, one after the other.
 *
 *   take ─► admit ─► claim ─┬─ completed ───────────────────────────────► record
 *            │              ├─ busy ─► postponed
 *            │              ├─ somebody may have sent it ─► look up ─┬─ as desired ─► record
 *            │              │                                        └─ not so ──┐
 *            │              └─ fresh ────────────────────────────────────────────┴─► mark sending ─► send ─► record
 *            └─ no quota, or the destination is away ─► the lane is left until it can be called again
 *
 * What cannot be promised to a destination without idempotency keys: a process that is stopped after it marked the call and
 * checked its time, but before it wrote to the socket, and that stays stopped for longer than lease and deadline together,
 * sends after its successor has looked and found nothing. Only comparing with the destination finds that twin.
 */
/** `rested`: nothing can be done now. `more`: something may be, and another run should look. */
export type EffectRunEnd = 'rested' | 'more';

/** Rejects with infrastructure errors, `fence.lost` among them. What was in hand is then pending, or unknown, and due. */
export async function workEffectLane(deps: EffectRunDependencies, run: EffectRun): Promise<EffectRunEnd> {
  const began = deps.clock.now();
  const awayMs = run.driver.patience?.awayMs ?? deps.awayMs;
  for (let first = true; ; first = false) {
    const now = deps.clock.now();
    if (run.stop.aborted || now - began >= deps.quantumMs) return 'more';
    const intent = await takeDueIntent(deps.db, run.key, run.tenure, first, now, deps.leaseMs);
    if (intent === undefined) return 'rested';
    const admission = await deps.limits.admit(
      run.key.destination,
      callsFor(run.driver, intent),
      intent.turnAt?.getTime(),
    );
    if (admission.kind === 'wait') {
      const given = await leaveEffectLane(deps.db, run.key, run.tenure, admission, deps.clock.now(), awayMs);
      if (given === undefined) return 'rested';
      await giveUp(deps, run, given);
      continue;
    }
    using permit = admission.permit;
    try {
      await workIntent(deps, run, intent, permit);
    } catch (error) {
      if (isInfrastructureError(error) || isAway(error)) throw error;
      await setAside(deps, run, intent, error);
    }
  }
}

/** The calls that an effect takes: looking it up where somebody may have sent it, sending it, observing what became of it. */
const callsFor = (driver: DestinationDriver, intent: OpenIntent): number =>
  1 + (wasSent(intent) ? 1 : 0) + (driver.observe === undefined ? 0 : 1);

const wasSent = ({ state, sentVersion }: OpenIntent): boolean => state !== 'pending' || sentVersion !== null;

/** Its destination has been away for too long. */
async function giveUp(deps: EffectRunDependencies, run: EffectRun, intent: OpenIntent): Promise<void> {
  const since = intent.firstUnavailableAt?.toISOString() ?? '';
  const error = new LanewayError('effect.unavailable', `the destination has not answered since ${since}`, {
    retry: 'backoff',
  });
  const attempted = { key: run.key, tenure: run.tenure, intent, call: callOf(run.key, intent), madeTheCall: false };
  await fail(deps, run, attempted, { kind: wasSent(intent) ? 'unresolved' : 'unavailable', error });
}

const isAway = (error: unknown): boolean => error instanceof LanewayError && error.code === 'service.unavailable';

/** A fault of ours that has no end of its own: its neighbours go on, and it is tried again later. */
async function setAside(
  deps: EffectRunDependencies,
  run: EffectRun,
  intent: OpenIntent,
  error: unknown,
): Promise<void> {
  const { message, stack } = coerceError(error, 'internal.unexpected');
  deps.log.error('an effect could not be worked, will try again', {
    ...run.key,
    objectKey: intent.objectKey,
    eventId: intent.eventId,
    error: message,
    stack,
  });
  await postponeIntent(deps.db, run.key, run.tenure, intent, deps.clock.now() + SET_ASIDE_MS);
}

const SET_ASIDE_MS = 60_000;
/** A release that does not know the event cannot end its intent; a newer one will. */
const UNKNOWN_TYPE_MS = 60_000;
/** Of the lease, kept for what comes after the call. */
const MARGIN = 0.2;

async function workIntent(
  deps: EffectRunDependencies,
  run: EffectRun,
  intent: OpenIntent,
  permit: CallPermit,
): Promise<void> {
  if (!deps.registry.has(intent.eventType)) {
    deps.log.warn('this release does not know the event of an intent', { ...run.key, eventType: intent.eventType });
    return await postponeIntent(deps.db, run.key, run.tenure, intent, deps.clock.now() + UNKNOWN_TYPE_MS);
  }
  const call = callOf(run.key, intent);
  const claim = await deps.claims.claim(call.idempotencyKey, run.tenure.owner, deps.leaseMs);
  const attempted: Attempted = { key: run.key, tenure: run.tenure, intent, call, madeTheCall: false };
  if (claim.kind === 'busy') return await postponeIntent(deps.db, run.key, run.tenure, intent, claim.untilMs + 1);
  if (claim.kind === 'completed') return await succeed(deps, run, attempted, claim.result, permit);
  let released = false;
  try {
    released = await lookThenSend(deps, run, attempted, claim, permit);
  } catch (error) {
    released = !(error instanceof CallLeftOpen);
    throw error instanceof CallLeftOpen ? error.cause : error;
  } finally {
    if (released) await deps.claims.release(call.idempotencyKey, run.tenure.owner);
  }
}

/** Infrastructure failed after a call had begun: the claim must stay until its lease has passed. */
class CallLeftOpen extends Error {}

/** True when the claim covers no call and can be given back. */
async function lookThenSend(
  deps: EffectRunDependencies,
  run: EffectRun,
  attempted: Attempted,
  claim: Claim,
  permit: CallPermit,
): Promise<boolean> {
  const { intent, call } = attempted;
  let { externalId } = intent;
  if (claim.kind === 'taken-over' || wasSent(intent)) {
    const looked = await lookUp(deps, run, call, permit);
    if (looked.kind === 'failed') {
      await fail(deps, run, attempted, { kind: 'unresolved', error: looked.error });
      return true;
    }
    if (looked.kind === 'as desired') {
      await succeed(deps, run, attempted, looked.result, permit);
      return false;
    }
    externalId = looked.externalId ?? externalId;
    if (intent.attempt > (run.driver.patience?.retry ?? deps.retry).retries) {
      await fail(deps, run, attempted, { kind: 'exhausted', error: lastErrorOf(intent) });
      return true;
    }
  }
  return await send(deps, run, { ...intent, externalId }, permit);
}

type LookedUp =
  | { kind: 'as desired'; result: EffectResult }
  /** Not there, or not as it should be. */
  | { kind: 'not as desired'; externalId: string | undefined }
  | { kind: 'failed'; error: LanewayError };

async function lookUp(
  deps: EffectRunDependencies,
  run: EffectRun,
  call: EffectCall,
  permit: CallPermit,
): Promise<LookedUp> {
  permit.spend();
  try {
    const result = await withDeadline('looking an object up', deps.leaseMs * (1 - MARGIN), (signal) =>
      run.driver.probe(call, signal),
    );
    permit.answered();
    if (result !== undefined && run.driver.satisfies(call, result)) return { kind: 'as desired', result };
    return { kind: 'not as desired', externalId: result?.externalId };
  } catch (error) {
    const failure = unanswered(error, 'effect.unavailable');
    await permit.failed(failure);
    return { kind: 'failed', error: failure };
  }
}

/** Makes the call, under a lease that outlives it and with its mark in the database. True when it was not carried out. */
async function send(
  deps: EffectRunDependencies,
  run: EffectRun,
  intent: OpenIntent,
  permit: CallPermit,
): Promise<boolean> {
  const { clock, leaseMs } = deps;
  const deadlineMs = Math.min(intent.deadlineMs, leaseMs * (1 - MARGIN));
  if (run.stop.aborted) return true;
  const leasedAt = clock.now();
  if (!(await run.renew())) {
    throw new LanewayError('fence.lost', 'the activation of this effect lane is not ours any more', {
      retry: 'backoff',
    });
  }
  const now = clock.now();
  const sending = await markSending(deps.db, run.key, run.tenure, intent, now, now + leaseMs + deadlineMs);
  if (sending === undefined) return true;
  const call = callOf(run.key, sending);
  const attempted: Attempted = { key: run.key, tenure: run.tenure, intent: sending, call, madeTheCall: true };
  try {
    if (clock.now() - leasedAt > (leaseMs * MARGIN) / 2) {
      const error = new LanewayError('effect.unavailable', 'too little of the lease was left to make the call');
      await fail(deps, run, attempted, { kind: 'unsent', error });
      return true;
    }
    const sent = await callOut(run.driver, call, deadlineMs, permit);
    if (sent.kind !== 'answered') {
      await fail(deps, run, attempted, sent);
      return sent.kind !== 'unknown';
    }
    await succeed(deps, run, attempted, sent.result, permit);
    return false;
  } catch (error) {
    throw new CallLeftOpen('the outcome of a call could not be recorded', { cause: error });
  }
}

async function callOut(
  driver: DestinationDriver,
  call: EffectCall,
  deadlineMs: number,
  permit: CallPermit,
): Promise<
  { kind: 'answered'; result: EffectResult } | Extract<EffectFailure, { kind: 'rejected' | 'unavailable' | 'unknown' }>
> {
  const { trial } = permit;
  permit.spend();
  try {
    const result = await withDeadline('the call', deadlineMs, (signal) => driver.send(call, signal));
    permit.answered();
    return { kind: 'answered', result };
  } catch (thrown) {
    const error = unanswered(thrown, 'effect.outcome_unknown');
    await permit.failed(error);
    if (error.code === 'effect.rejected') return { kind: 'rejected', error };
    if (wasNotCarriedOut(error)) return { kind: 'unavailable', error };
    // Whatever else happened, a deadline among it: it may have been carried out.
    return { kind: 'unknown', error, trial };
  }
}

/** A deadline that passed says as little as a connection that broke. */
function unanswered(thrown: unknown, code: 'effect.unavailable' | 'effect.outcome_unknown'): LanewayError {
  const error = coerceError(thrown, code);
  if (error.code !== 'handler.deadline') return error;
  return new LanewayError(code, error.message, { retry: 'backoff', cause: error });
}

/** After a crash there may be no error at all: nobody was left to report it. */
const lastErrorOf = ({ lastError }: OpenIntent): LanewayError =>
  lastError === null
    ? new LanewayError('worker.crashed', 'every try of this effect ended without an outcome')
    : new LanewayError(lastError.code, lastError.message);

const callOf = (key: EffectKey, intent: OpenIntent): EffectCall => ({
  ...key,
  objectKey: intent.objectKey,
  version: intent.version,
  desired: intent.desired,
  externalId: intent.externalId ?? undefined,
  // The content is part of it: after a restore a version number is used again, for something else.
  idempotencyKey: contentHash([key.merchantId, key.destination, intent.objectKey, intent.version, intent.contentHash]),
  eventId: intent.eventId,
  correlationId: intent.correlationId,
  traceparent: intent.traceparent,
});
