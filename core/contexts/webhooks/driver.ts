import { type Kysely, type Transaction, sql } from 'kysely';
import { z } from 'zod';
import { type AddressRules, type Resolve, resolveBySystem } from './guard-address.ts';
import { type PostedAnswer, postWebhook } from './post.ts';
import { readEndpoint } from './reads.ts';
import { type BodyColumns, openDelivery } from './sealed.ts';
import { readSecrets } from './secrets.ts';
import { signedHeaders } from './sign.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectContext } from '../../events/destination.ts';
import type { Keyring } from '../../people/keyring.ts';
import { type Clock, DAY_MS } from '../../runtime/clock.ts';
import { LanewayError, coerceError } from '../../runtime/errors.ts';

const desiredDelivery = z.looseObject({ endpointId: z.string(), lane: z.string(), eventId: z.string().optional() });
type Desired = z.infer<typeof desiredDelivery>;

/** A delivery, and so an endpoint, is given up after failing for so long. */
export const GIVE_UP_MS = 3 * DAY_MS;
/** An endpoint that takes longer to answer has failed. */
const ANSWER_MS = 10_000;

interface Delivery extends BodyColumns {
  sequence: number;
  eventId: string;
  attempt: number;
}

/** Why a message about a person who was erased ends as failed. The endpoint has no part in it. */
const ERASED = 'people.erased: the person that it is about was erased';

/**
 * Deliveries to the endpoints of third-party apps. A receiver is told the same id at every attempt and drops what it has
 * seen (Standard Webhooks), so that a delivery without an answer is made again, unlike a mail. Every attempt is logged.
 */
export function createWebhookDriver(options: {
  db: Kysely<Database>;
  keyring: Keyring;
  rules: AddressRules;
  clock: Clock;
  resolve?: Resolve;
}): DestinationDriver {
  const { db, keyring, rules, clock, resolve = resolveBySystem } = options;
  return {
    limits: () => ({ quota: [{ calls: 600, perMs: 60_000, burst: 60 }], concurrency: 1 }),
    patience: { retry: { retries: 20, baseMs: 5_000, capMs: 6 * 3_600_000 }, awayMs: GIVE_UP_MS },

    async send(call, signal) {
      const desired = desiredOf(call);
      const endpoint = await readEndpoint(db, call.merchantId, desired.endpointId);
      if (endpoint?.state !== 'enabled') return { externalId: 'none', actual: { outcome: 'held' } };
      const delivery = await beginAttempt(db, call, desired, clock.now());
      if (delivery === undefined) return { externalId: 'none', actual: { outcome: 'nothing to deliver' } };
      const place = { merchantId: call.merchantId, endpointId: desired.endpointId, eventId: delivery.eventId };
      const body = await openDelivery(db, keyring, place, delivery);
      if (body === undefined) return { externalId: 'none', actual: { outcome: 'erased', sequence: delivery.sequence } };
      const secrets = await readSecrets(db, keyring, { merchantId: call.merchantId, endpointId: desired.endpointId });
      const began = clock.now();
      const log = (end: { answer?: PostedAnswer; error?: string }) =>
        logAttempt(db, call, desired, delivery, { ...end, at: began, durationMs: clock.now() - began });
      const message = { id: `msg_${delivery.eventId}`, body };
      const headers = {
        'content-type': 'application/json',
        'user-agent': 'Laneway-Webhooks/1.0',
        ...signedHeaders(message, secrets, began),
        'laneway-event-id': delivery.eventId,
        'laneway-sequence': String(delivery.sequence),
        'laneway-attempt': String(delivery.attempt),
      };
      let answer: PostedAnswer;
      try {
        const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
        const post = { url: endpoint.url, headers, body };
        const said = await postWebhook(post, { rules, resolve, signal: deadline, nowMs: began });
        // It may repeat what it was told.
        answer = delivery.sealed === null ? said : { ...said, excerpt: '' };
      } catch (error) {
        const { message: said } = coerceError(error);
        await log({ error: said });
        throw new LanewayError('effect.unavailable', `no answer from the endpoint: ${said}`, {
          retry: 'backoff',
          cause: error,
        });
      }
      await log({ answer });
      refuseFailure(answer);
      return { externalId: message.id, actual: { outcome: 'delivered', sequence: delivery.sequence } };
    },

    probe: () => Promise.resolve(undefined),
    satisfies: () => false,

    async recordSuccess(trx, call, { actual }, _observed, context) {
      const desired = desiredOf(call);
      const { endpointId, lane } = desired;
      const sequence = actual['sequence'];
      if (actual['outcome'] === 'held') return await holdDeliveries(trx, call, desired);
      if (typeof sequence !== 'number') return;
      const at = new Date(context.now);
      const erased = actual['outcome'] === 'erased';
      await trx
        .updateTable('webhook_deliveries')
        .set(erased ? { status: 'failed', error: ERASED } : { status: 'delivered', delivered_at: at, error: null })
        .where('merchant_id', '=', call.merchantId)
        .where('endpoint_id', '=', endpointId)
        .where('sequence', '=', sequence)
        .execute();
      if (!erased) await forgetFailing(trx, call.merchantId, endpointId);
      if (lane === 's') await goOn(trx, call, endpointId, context);
    },

    async recordFailure(trx, call, error, context) {
      const desired = desiredOf(call);
      await sql`
        update webhook_deliveries set status = 'failed', error = ${error.message.slice(0, 500)}
        where ${lastTried(call, desired)}
      `.execute(trx);
      const disabled = await disableIfHopeless(trx, call, desired, error, context);
      if (!disabled && desired.lane === 's') await goOn(trx, call, desired.endpointId, context);
    },
  };
}

function desiredOf(call: EffectCall): Desired {
  const parsed = desiredDelivery.safeParse(call.desired);
  if (parsed.success) return parsed.data;
  throw new LanewayError('effect.rejected', 'the intent does not say what is to be delivered', { cause: parsed.error });
}

/** The one delivery that a call stands for: the event's, also when it is redriven, or the first in sequence that is pending. */
const rowOf = ({ merchantId }: EffectCall, { endpointId, lane, eventId }: Desired) => {
  const endpoint = sql`merchant_id = ${merchantId} and endpoint_id = ${endpointId}`;
  return eventId === undefined
    ? sql`${endpoint} and sequence = (select sequence from webhook_deliveries
        where ${endpoint} and lane = ${lane} and status = 'pending' order by sequence limit 1)`
    : sql`${endpoint} and event_id = ${eventId} and status in ('pending', 'failed')`;
};

/** What the last call carried: a recovery may have put something before it meanwhile. */
const lastTried = (call: EffectCall, desired: Desired) =>
  desired.eventId === undefined
    ? sql`merchant_id = ${call.merchantId} and endpoint_id = ${desired.endpointId} and sequence = (
        select sequence from webhook_deliveries where merchant_id = ${call.merchantId}
          and endpoint_id = ${desired.endpointId} and lane = ${desired.lane} and status = 'pending'
        order by last_attempt_at desc nulls last, sequence limit 1)`
    : rowOf(call, desired);

/** Counts the attempt before it is made, so that one that kills its process is counted too. */
async function beginAttempt(
  db: Kysely<Database>,
  call: EffectCall,
  desired: Desired,
  now: number,
): Promise<Delivery | undefined> {
  const { rows } = await sql<Delivery>`
    update webhook_deliveries set attempts = attempts + 1, last_attempt_at = ${new Date(now)}::timestamptz
    where ${rowOf(call, desired)}
    returning sequence, event_id as "eventId", body, sealed, key_id as "keyId", attempts as attempt
  `.execute(db);
  return rows[0];
}

async function forgetFailing(trx: Transaction<Database>, merchantId: string, endpointId: string): Promise<void> {
  await trx
    .updateTable('webhook_endpoints')
    .set({ failing_since: null })
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .where('failing_since', 'is not', null)
    .execute();
}

async function logAttempt(
  db: Kysely<Database>,
  { merchantId }: EffectCall,
  { endpointId }: Desired,
  { sequence, attempt }: Delivery,
  end: { answer?: PostedAnswer; error?: string; at: number; durationMs: number },
): Promise<void> {
  const status = end.answer?.status ?? null;
  const error = end.error?.slice(0, 500) ?? null;
  const succeeded = status !== null && status >= 200 && status < 300;
  await db.transaction().execute(async (trx) => {
    await trx
      .insertInto('webhook_attempts')
      .values({
        merchant_id: merchantId,
        endpoint_id: endpointId,
        sequence,
        attempt,
        at: new Date(end.at),
        duration_ms: Math.round(end.durationMs),
        response_status: status,
        response: end.answer?.excerpt ?? null,
        error,
      })
      .execute();
    await trx
      .updateTable('webhook_deliveries')
      .set({ response_status: status, error })
      .where('merchant_id', '=', merchantId)
      .where('endpoint_id', '=', endpointId)
      .where('sequence', '=', sequence)
      .execute();
    if (!succeeded)
      await trx
        .updateTable('webhook_endpoints')
        .set({ failing_since: new Date(end.at) })
        .where('merchant_id', '=', merchantId)
        .where('endpoint_id', '=', endpointId)
        .where('failing_since', 'is', null)
        .execute();
  });
}

const GONE = 410;
const SLOW_DOWN = new Set([429, 502, 503, 504]);

/** Only 2xx is success. 410 says that nothing is ever wanted again; everything else is worth another try, for days. */
function refuseFailure({ status, retryAfterSeconds, excerpt }: PostedAnswer): void {
  if (status >= 200 && status < 300) return;
  const said = `the endpoint answered ${status}: ${excerpt.slice(0, 200)}`;
  if (status === GONE) throw new LanewayError('effect.rejected', said);
  const detail = retryAfterSeconds === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterSeconds * 1_000) };
  throw new LanewayError(SLOW_DOWN.has(status) ? 'effect.limited' : 'effect.unavailable', said, {
    retry: 'backoff',
    detail,
  });
}

async function holdDeliveries(trx: Transaction<Database>, call: EffectCall, desired: Desired): Promise<void> {
  const { endpointId, lane } = desired;
  const which = lane === 's' ? sql`lane = 's'` : sql`event_id = ${desired.eventId}`;
  await sql`
    update webhook_deliveries set status = 'held'
    where merchant_id = ${call.merchantId} and endpoint_id = ${endpointId} and ${which} and status = 'pending'
  `.execute(trx);
}

/** In sequence: intends the next delivery, if one waits. */
async function goOn(
  trx: Transaction<Database>,
  { merchantId }: EffectCall,
  endpointId: string,
  context: EffectContext,
): Promise<void> {
  const waiting = await trx
    .selectFrom('webhook_deliveries')
    .select('sequence')
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .where('lane', '=', 's')
    .where('status', '=', 'pending')
    .orderBy('sequence')
    .limit(1)
    .executeTakeFirst();
  if (waiting !== undefined) context.intend({ objectKey: 'next', desired: { endpointId, lane: 's' } });
}

/** By time, not by count: an endpoint with much to take fails often in a short while. True when it is disabled now. */
async function disableIfHopeless(
  trx: Transaction<Database>,
  { merchantId }: EffectCall,
  { endpointId }: Desired,
  error: LanewayError,
  context: EffectContext,
): Promise<boolean> {
  const gone = error.code === 'effect.rejected';
  const failingSince = gone ? sql`true` : sql`failing_since <= ${new Date(context.now - GIVE_UP_MS)}::timestamptz`;
  const { rows } = await sql<{ url: string; failingSince: Date | null }>`
    update webhook_endpoints set state = 'disabled', state_reason = ${error.message.slice(0, 300)},
      updated_at = ${new Date(context.now)}::timestamptz
    where merchant_id = ${merchantId} and endpoint_id = ${endpointId} and state = 'enabled' and ${failingSince}
    returning url, failing_since as "failingSince"
  `.execute(trx);
  const [disabled] = rows;
  if (disabled === undefined) return false;
  const since = (disabled.failingSince ?? new Date(context.now)).toISOString();
  context.emit({
    eventType: 'NotificationDispatchRequestedEvent',
    payload: {
      recipientId: 'owner',
      channel: 'email',
      templateId: 'webhook-endpoint-disabled',
      payloadForTemplate: { url: disabled.url, failingSince: since, reason: error.message.slice(0, 200) },
      timestamp: new Date(context.now).toISOString(),
      priority: 'high',
      idempotencyKey: `webhook-disabled:${endpointId}:${since}`,
    },
  });
  return true;
}
