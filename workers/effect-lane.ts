import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { type ErrorRecord, LanewayError } from '../core/runtime/errors.ts';

/**
 * The effect lane of a (merchant, destination): a fence row in `effect_lanes` and the open intents behind it.
 *
 * Whoever begins a call must own the fence; the row `sending` with its `sent_at` is then the mark of that one call. The
 * outcome of a call may be recorded by whoever made it for as long as the mark stands, even if somebody else owns the
 * fence by then: it is the truth about that call, and nobody else touches the intent before its quarantine is over.
 *
 * Locks are taken in one order everywhere: state rows of contexts, effect lane, intents, outbox head.
 */
export interface EffectKey {
  merchantId: string;
  destination: string;
}

/** One run of an actor over an effect lane. */
export interface EffectTenure {
  owner: string;
  worker: string;
}

export interface OpenIntent {
  objectKey: string;
  version: number;
  desired: Record<string, unknown>;
  contentHash: string;
  state: 'pending' | 'sending' | 'unknown';
  eventId: string;
  eventType: string;
  handler: string;
  mseq: number;
  day: string;
  correlationId: string;
  traceparent: string;
  deadlineMs: number;
  attempt: number;
  notBefore: Date | null;
  /** Set while the outcome of a call is not known. */
  sentVersion: number | null;
  sentAt: Date | null;
  externalId: string | null;
  firstError: ErrorRecord | null;
  lastError: ErrorRecord | null;
  /** Since when the destination has not answered this intent's calls. */
  firstUnavailableAt: Date | null;
}

/** An intent that was taken, with its lane's turn in a quota for which it had to wait. */
export type TakenIntent = OpenIntent & { turnAt: Date | null };

export const intentColumns = sql`object_key as "objectKey", version, desired, content_hash as "contentHash", state,
  event_id as "eventId", event_type as "eventType", handler, mseq, day, correlation_id as "correlationId", traceparent,
  deadline_ms as "deadlineMs", attempt, not_before as "notBefore", sent_version as "sentVersion", sent_at as "sentAt", external_id as "externalId",
  first_error as "firstError", last_error as "lastError", first_unavailable_at as "firstUnavailableAt"`;

export const ofLane = (key: EffectKey) => sql`merchant_id = ${key.merchantId} and destination = ${key.destination}`;
const ofIntent = (key: EffectKey, objectKey: string) => sql`${ofLane(key)} and object_key = ${objectKey}`;

/**
 * Locks the lane's row. Nothing else is read in this statement: it may wait for whoever declares intents, and only the next
 * statement sees what they committed.
 */
export async function lockEffectLane(trx: Transaction<Database>, key: EffectKey): Promise<string | null | undefined> {
  const { rows } = await sql<{ owner: string | null }>`
    select owner from effect_lanes where ${ofLane(key)} for no key update
  `.execute(trx);
  return rows[0]?.owner;
}

export const fenceLost = (key: EffectKey, owner: string, found: string | null | undefined) =>
  new LanewayError('fence.lost', 'another owner has this effect lane', {
    retry: 'backoff',
    detail: { ...key, owner, foundOwner: found },
  });

/**
 * Takes the fence, on a run's `first` step from whoever had it, and gives the next intent that is due; retries come before
 * what was never tried. Undefined when there is none: the lane is left then, `due_at` saying when to look again. An actor
 * that finds nothing due leaves the fence with whoever has it, who may be in the middle of a call.
 */
export async function takeDueIntent(
  db: Kysely<Database>,
  key: EffectKey,
  tenure: EffectTenure,
  first: boolean,
  now: number,
  leaseMs: number,
): Promise<TakenIntent | undefined> {
  return await db.transaction().execute(async (trx) => {
    const found = await lockEffectLane(trx, key);
    if (found === undefined) return undefined;
    if (!first && found !== tenure.owner) throw fenceLost(key, tenure.owner, found);
    const at = sql`${new Date(now)}::timestamptz`;
    const { rows } = await sql<TakenIntent>`
      select ${intentColumns}, (select turn_at from effect_lanes where ${ofLane(key)}) as "turnAt" from intents
      where ${ofLane(key)} and state in ('pending', 'sending', 'unknown') and (not_before is null or not_before <= ${at})
      order by not_before limit 1
    `.execute(trx);
    const intent = rows[0];
    if (intent === undefined) {
      await sql`
        update effect_lanes set updated_at = ${at}, owner = nullif(owner, ${tenure.owner}),
          due_at = (select min(coalesce(not_before, ${at})) from intents
            where ${ofLane(key)} and state in ('pending', 'sending', 'unknown'))
        where ${ofLane(key)}
      `.execute(trx);
      return undefined;
    }
    // Should this process die and Redis forget its activation, the lane is due again when its lease is over.
    await sql`
      update effect_lanes set owner = ${tenure.owner}, worker = ${tenure.worker}, updated_at = ${at},
        due_at = ${new Date(now + leaseMs)}::timestamptz, turn_at = null
      where ${ofLane(key)}
    `.execute(trx);
    return intent;
  });
}

/**
 * Marks the call that is about to be made, under the fence. The attempt is counted before the call, so that one that kills
 * its process is counted too. Nobody else touches the intent before `quarantineUntil`, when this call is over whatever
 * became of it. Undefined when a newer intent has replaced this one, or somebody else works it.
 */
export async function markSending(
  db: Kysely<Database>,
  key: EffectKey,
  tenure: EffectTenure,
  intent: OpenIntent,
  now: number,
  quarantineUntil: number,
): Promise<OpenIntent | undefined> {
  return await db.transaction().execute(async (trx) => {
    const found = await lockEffectLane(trx, key);
    if (found !== tenure.owner) throw fenceLost(key, tenure.owner, found);
    const { rows } = await sql<OpenIntent>`
      update intents set state = 'sending', sent_version = version, sent_hash = content_hash,
        sent_at = ${new Date(now)}::timestamptz, not_before = ${new Date(quarantineUntil)}::timestamptz,
        attempt = attempt + 1, external_id = ${intent.externalId}, updated_at = ${new Date(now)}::timestamptz
      where ${ofIntent(key, intent.objectKey)} and version = ${intent.version} and state = ${intent.state}
        and sent_at is not distinct from ${intent.sentAt}
      returning ${intentColumns}
    `.execute(trx);
    return rows[0];
  });
}

/** What the row says now, for whoever is about to record an outcome. */
export interface IntentNow {
  version: number;
  attempt: number;
  firstError: ErrorRecord | null;
  firstUnavailableAt: Date | null;
}

const nowColumns = sql`version, attempt, first_error as "firstError", first_unavailable_at as "firstUnavailableAt"`;
const markStands = (intent: OpenIntent) =>
  sql`state in ('pending', 'sending', 'unknown') and sent_at is not distinct from ${intent.sentAt}`;

/** Without a lock: what the outcome will probably meet. Undefined when somebody else has dealt with the intent. */
export async function peekIntent(
  trx: Transaction<Database>,
  key: EffectKey,
  intent: OpenIntent,
): Promise<IntentNow | undefined> {
  const { rows } = await sql<IntentNow>`
    select ${nowColumns} from intents where ${ofIntent(key, intent.objectKey)} and ${markStands(intent)}
  `.execute(trx);
  return rows[0];
}

/**
 * Locks lane and intent for the outcome. Who made the call needs only its mark to stand, everyone else the fence.
 * Undefined when the mark does not stand any more.
 */
export async function lockIntent(
  trx: Transaction<Database>,
  key: EffectKey,
  tenure: EffectTenure,
  intent: OpenIntent,
  madeTheCall: boolean,
): Promise<IntentNow | undefined> {
  const found = await lockEffectLane(trx, key);
  if (!madeTheCall && found !== tenure.owner) throw fenceLost(key, tenure.owner, found);
  const { rows } = await sql<IntentNow>`
    select ${nowColumns} from intents where ${ofIntent(key, intent.objectKey)} and ${markStands(intent)} for no key update
  `.execute(trx);
  return rows[0];
}

export interface IntentChange {
  state: 'pending' | 'unknown' | 'done' | 'dead';
  attempt: number;
  notBefore: number | null;
  /** Whether the outcome of the last call is still not known. */
  keepMark: boolean;
  externalId: string | null;
  firstError: ErrorRecord | null;
  lastError: ErrorRecord | null;
  firstUnavailableAt: number | null;
}

/** Writes a locked intent. */
export async function changeIntent(
  trx: Transaction<Database>,
  key: EffectKey,
  objectKey: string,
  change: IntentChange,
  now: number,
): Promise<void> {
  const timeOrNull = (epochMs: number | null) => (epochMs === null ? null : new Date(epochMs));
  const clearMark = change.keepMark ? sql`` : sql`sent_version = null, sent_hash = null, sent_at = null,`;
  await sql`
    update intents set state = ${change.state}, attempt = ${change.attempt}, ${clearMark}
      not_before = ${timeOrNull(change.notBefore)}::timestamptz,
      first_unavailable_at = ${timeOrNull(change.firstUnavailableAt)}::timestamptz,
      external_id = coalesce(${change.externalId}, external_id),
      first_error = ${change.firstError === null ? null : JSON.stringify(change.firstError)}::jsonb,
      last_error = ${change.lastError === null ? null : JSON.stringify(change.lastError)}::jsonb,
      updated_at = ${new Date(now)}::timestamptz
    where ${ofIntent(key, objectKey)}
  `.execute(trx);
}

/** Puts an intent aside without counting an attempt. */
export async function postponeIntent(
  db: Kysely<Database>,
  key: EffectKey,
  tenure: EffectTenure,
  intent: OpenIntent,
  until: number,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if ((await lockIntent(trx, key, tenure, intent, false)) === undefined) return;
    await sql`
      update intents set not_before = ${new Date(until)}::timestamptz where ${ofIntent(key, intent.objectKey)}
    `.execute(trx);
  });
}
