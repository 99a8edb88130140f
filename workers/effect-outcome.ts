import { type Kysely, type Transaction, sql } from 'kysely';
import {
  type EffectKey,
  type EffectTenure,
  type IntentChange,
  type IntentNow,
  type OpenIntent,
  changeIntent,
  lockIntent,
  peekIntent,
} from './effect-lane.ts';
import { declareIntents } from '../core/database/intents.ts';
import { type OutboxRow, appendOutbox, eventRow } from '../core/database/outbox.ts';
import type { Database } from '../core/database/tables.ts';
import { buildEvent } from '../core/events/build.ts';
import { deadLetterRow } from '../core/events/dead-letter.ts';
import type { DestinationDriver, EffectCall, EffectContext, EffectResult } from '../core/events/destination.ts';
import type { Emission, Intent } from '../core/events/handler.ts';
import type { Registry } from '../core/events/registry.ts';
import { type LanewayError, recordError } from '../core/runtime/errors.ts';
import { derivedEventId, newId } from '../core/runtime/ids.ts';
import { type RetryPolicy, backoffMs } from '../core/runtime/retry.ts';

/** What became of a try, and what it was a try of. */
export interface Attempted {
  key: EffectKey;
  tenure: EffectTenure;
  intent: OpenIntent;
  call: EffectCall;
  /** Whether this run sent it, in contrast to finding out what an earlier send came to. */
  madeTheCall: boolean;
}

export type EffectFailure =
  /** Refused: no use trying again. */
  | { kind: 'rejected'; error: LanewayError }
  /** Certainly not carried out. */
  | { kind: 'unavailable'; error: LanewayError }
  /**
   * Sent, and no answer: quarantined until the call is over, then looked up. `trial`: the call by which a breaker wanted to
   * find out whether the destination is back.
   */
  | { kind: 'unknown'; error: LanewayError; trial: boolean }
  /** What is out there could not be looked up, or not be recorded: looked up again. */
  | { kind: 'unresolved'; error: LanewayError }
  /** Looked up and not there, after the last try that was left. */
  | { kind: 'exhausted'; error: LanewayError }
  /** Never sent, for reasons of ours: not an attempt. */
  | { kind: 'unsent'; error: LanewayError };

export interface OutcomeDependencies {
  db: Kysely<Database>;
  registry: Registry;
  retry: RetryPolicy;
  random(): number;
  /** For how long a destination may be away before what waits for it is given up. */
  awayMs: number;
}

/** `overtaken`: somebody else has dealt with the intent, nothing was written. `superseded`: newer desired is pending. */
export type Recorded = 'done' | 'superseded' | 'retrying' | 'dead' | 'overtaken';

/** The row changed between deciding what to record and locking it: decide again. */
class Changed extends Error {}

/**
 * Records a success in one transaction: the context's state, the intent, and last the events about it. The state rows come
 * first because lanes lock them before they declare intents.
 */
export async function recordSuccess(
  deps: OutcomeDependencies,
  driver: DestinationDriver,
  attempted: Attempted,
  result: EffectResult,
  observed: Record<string, unknown> | undefined,
  now: number,
): Promise<Recorded> {
  const { key, intent, call } = attempted;
  return await deps.db
    .transaction()
    .execute(async (trx) => {
      const { context, rows, declare } = collectEmissions(deps.registry, attempted, `${call.version}`, now);
      if ((await peekIntent(trx, key, intent)) === undefined) return 'overtaken';
      await driver.recordSuccess(trx, call, result, observed, context);
      const found = await lockIntent(trx, key, attempted.tenure, intent, attempted.madeTheCall);
      if (found === undefined) throw new Changed();
      const superseded = found.version !== intent.version;
      await changeIntent(
        trx,
        key,
        intent.objectKey,
        {
          state: superseded ? 'pending' : 'done',
          attempt: found.attempt,
          notBefore: null,
          keepMark: false,
          externalId: result.externalId,
          firstError: null,
          lastError: null,
          firstUnavailableAt: null,
        },
        now,
      );
      await declare(trx);
      await appendOutbox(trx, rows(), now);
      return superseded ? 'superseded' : 'done';
    })
    .catch((error: unknown) => {
      if (error instanceof Changed) return 'overtaken' as const;
      throw error;
    });
}

/** Records a failure; the last one with its dead letter and the context's own record, in the same transaction. */
export async function recordFailure(
  deps: OutcomeDependencies,
  driver: DestinationDriver,
  attempted: Attempted,
  failure: EffectFailure,
  now: number,
): Promise<Recorded> {
  const jitter = deps.random();
  for (;;) {
    try {
      return await deps.db.transaction().execute((trx) => failIn(deps, trx, driver, attempted, failure, now, jitter));
    } catch (error) {
      if (!(error instanceof Changed)) throw error;
    }
  }
}

async function failIn(
  deps: OutcomeDependencies,
  trx: Transaction<Database>,
  driver: DestinationDriver,
  attempted: Attempted,
  failure: EffectFailure,
  now: number,
  jitter: number,
): Promise<Recorded> {
  const { key, intent, call } = attempted;
  const expected = await peekIntent(trx, key, intent);
  if (expected === undefined) return 'overtaken';
  const change = decide({ ...deps, ...driver.patience }, intent, expected, failure, now, jitter);
  // Emitted ids carry the time: the same version may be tried, and given up, again after a redrive.
  const { context, rows, declare } = collectEmissions(deps.registry, attempted, `${call.version}/failed/${now}`, now);
  if (change.state === 'dead') await driver.recordFailure(trx, call, failure.error, context);
  const found = await lockIntent(trx, key, attempted.tenure, intent, attempted.madeTheCall);
  if (found?.version !== expected.version || found.attempt !== expected.attempt) throw new Changed();
  await changeIntent(trx, key, intent.objectKey, change, now);
  if (change.state !== 'dead') return found.version === intent.version ? 'retrying' : 'superseded';
  await declare(trx);
  await appendOutbox(trx, [await deadLetterOf(deps.registry, trx, key, intent, change, now), ...rows()], now);
  return 'dead';
}

/** A call that certainly did nothing and may be made again: of the destination's doing, not of the effect's. */
export function wasNotCarriedOut({ code }: LanewayError): boolean {
  return ['effect.unavailable', 'effect.limited', 'effect.unauthorized', 'effect.conflict'].includes(code);
}

/** A failure that speaks of the destination and not of the effect: it counts as waiting, not as an attempt. */
function isAwayFailure(failure: EffectFailure): boolean {
  switch (failure.kind) {
    case 'unavailable':
      return true;
    case 'unresolved':
      return wasNotCarriedOut(failure.error);
    case 'unknown':
      return failure.trial;
    case 'rejected':
    case 'exhausted':
    case 'unsent':
      return false;
    default:
      return failure satisfies never;
  }
}

/** As long as it has been away already, so that the pauses double; between the policy's base and cap, with jitter. */
const awayWaitMs = (awayForMs: number, { baseMs, capMs }: RetryPolicy, jitter: number): number =>
  Math.round(Math.min(capMs, Math.max(baseMs, awayForMs)) * (0.5 + jitter / 2));

/** What a failure makes of an intent. Pure. */
function decide(
  deps: OutcomeDependencies,
  intent: OpenIntent,
  found: IntentNow,
  failure: EffectFailure,
  now: number,
  jitter: number,
): IntentChange {
  const superseded = found.version !== intent.version;
  const error = recordError(failure.error, now);
  const away = isAwayFailure(failure);
  const awaySince = found.firstUnavailableAt?.getTime() ?? now;
  const attempt = attemptsAfter(failure, away, found.attempt);
  const asked = failure.error.detail['retryAfterMs'];
  const pause = away ? awayWaitMs(now - awaySince, deps.retry, jitter) : backoffMs(attempt, deps.retry, jitter);
  const wait = typeof asked === 'number' ? Math.min(asked, deps.retry.capMs) : pause;
  const exhausted = (away ? now - awaySince >= deps.awayMs : attempt > deps.retry.retries) && !superseded;
  const change: IntentChange = {
    state: 'pending',
    attempt,
    notBefore: now + wait,
    keepMark: false,
    externalId: intent.externalId,
    firstError: found.firstError ?? error,
    lastError: error,
    firstUnavailableAt: away ? awaySince : null,
  };
  // Should somebody ask for it again, it may wait for another day.
  const dead: IntentChange = { ...change, state: 'dead', notBefore: null, firstUnavailableAt: null };
  switch (failure.kind) {
    case 'rejected':
    case 'exhausted':
      // What was refused is not wanted any more when something newer is: that goes next, and speaks for itself.
      return superseded ? { ...change, notBefore: null } : dead;
    case 'unavailable':
      return exhausted ? dead : change;
    case 'unknown':
      return { ...change, state: 'unknown', keepMark: true, notBefore: Math.max(now, quarantineOf(intent)) };
    case 'unresolved':
      return exhausted || isUnknowable(failure.error)
        ? { ...dead, keepMark: true }
        : { ...change, state: 'unknown', keepMark: true };
    case 'unsent':
      return { ...change, notBefore: null, firstUnavailableAt: found.firstUnavailableAt?.getTime() ?? null };
    default:
      return failure satisfies never;
  }
}

/** The destination keeps no record that could tell what became of a call. */
const isUnknowable = ({ code, retry }: LanewayError): boolean => code === 'effect.outcome_unknown' && retry === 'never';

/** A send was counted when it began, in case it would kill its process; a look-up that failed is a try of its own. */
function attemptsAfter(failure: EffectFailure, away: boolean, counted: number): number {
  const wasSent = failure.kind !== 'unresolved';
  if (away || failure.kind === 'unsent') return wasSent ? Math.max(0, counted - 1) : counted;
  return wasSent ? counted : counted + 1;
}

const quarantineOf = (intent: OpenIntent): number => intent.notBefore?.getTime() ?? 0;

async function deadLetterOf(
  registry: Registry,
  trx: Transaction<Database>,
  key: EffectKey,
  intent: OpenIntent,
  change: IntentChange,
  now: number,
): Promise<OutboxRow> {
  const definition = registry.get(intent.eventType);
  const { rows } = await sql<{ body: Buffer; keyId: string | null; sourceQueue: string }>`
    select body, key_id as "keyId", source_queue as "sourceQueue" from inbox
    where merchant_id = ${key.merchantId} and day = ${intent.day}::date and mseq = ${intent.mseq}
  `.execute(trx);
  const received = rows[0];
  if (definition === undefined || change.firstError === null || change.lastError === null)
    throw new Error(`${intent.eventType} of an intent that died is not in the registry`);
  const letter = deadLetterRow({
    merchantId: key.merchantId,
    eventId: intent.eventId,
    eventType: intent.eventType,
    sourceQueue: received?.sourceQueue ?? definition.queue,
    deadLetterQueue: definition.deadLetterQueue,
    handler: `${intent.handler}@${key.destination}`,
    correlationId: intent.correlationId,
    attempts: Math.max(1, change.attempt),
    first: change.firstError,
    last: change.lastError,
    ordinal: now,
    // Partitions with unsettled events stay, but an intent can outlive its event's settlement.
    body: received?.body ?? Buffer.from(JSON.stringify({ bodyIn: 'intent', desired: intent.desired })),
    sealed: received === undefined ? definition.person !== undefined : received.keyId !== null,
    reference: { day: intent.day, mseq: intent.mseq },
  });
  // One event can fail for several objects at once, and again after a redrive. The row is written exactly once, with the
  // intent's death, so a new id is enough to keep a dedupe window from swallowing one of them.
  return { ...letter, deduplicationId: newId() };
}

/** An EffectContext and what was emitted and intended through it, ready to be written. */
function collectEmissions(
  registry: Registry,
  { call, intent, key }: Attempted,
  occurrence: string,
  now: number,
): { context: EffectContext; rows: () => OutboxRow[]; declare: (trx: Transaction<Database>) => Promise<void> } {
  const emissions: Emission[] = [];
  const intended: Omit<Intent, 'destination'>[] = [];
  const cause = `${call.destination}/${call.objectKey}/${occurrence}`;
  return {
    context: {
      now,
      emit: (emission) => void emissions.push(emission),
      intend: (next) => void intended.push(next),
    },
    // Behind the same event: it is what a dead letter of the next effect will carry.
    declare: (trx) =>
      declareIntents(
        trx,
        intended.map((next) => ({ ...intent, ...key, ...next })),
        now,
      ),
    rows: () =>
      emissions.map(({ eventType, payload, timestamp }, ordinal) =>
        eventRow(
          buildEvent(registry, {
            eventId: derivedEventId(call.eventId, cause, ordinal),
            eventType,
            merchantId: call.merchantId,
            correlationId: call.correlationId,
            traceparent: call.traceparent,
            timestamp: timestamp ?? new Date(now).toISOString(),
            payload,
          }),
        ),
      ),
  };
}
