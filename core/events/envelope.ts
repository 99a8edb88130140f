/**
 * The envelope that every event travels in, and the words of the system.
 *
 * event        a fact or command in an envelope, identified by (merchant, event id)
 * handler      a named consumer of an event; an event may have several, each settled on its own
 * lane         a merchant's own BullMQ queue of pointers: what is pending, for people to see; decides nothing
 * activation   a BullMQ job that says "look at this merchant"; at most one per merchant is meant to run
 * actor        the code that holds a merchant's activation and works its lane
 * mailbox      the row that numbers a merchant's events as they are accepted
 * mseq         that number: dense, per merchant, a smaller one always visible before a larger one
 * cursor       the mseq up to which a lane has been worked
 * window       the events that one transaction of an actor works
 * convoy       windows of several merchants in one commit
 * quantum      how much an actor does before it goes to the tail of the activations
 * fence        the check, in every commit, that the lane is still this owner's and its cursor where it was left
 * owner        the random token that names who holds a fence
 * inbox        the accepted events, bytes as received
 * delivery     a row for an unfinished (event, handler) pair: attempts, next try, errors
 * settlement   the row that says how an (event, handler) pair ended
 * outbox       events written by a transaction, to be published after it
 * intent       a desired state of something outside, written by a handler
 * effect       the call that makes an intent true
 * destination  the outside system of an effect: `ad-network:meta`
 * poison       an event that a handler will never manage
 * parked       set aside until an operator acts
 * blocked      a lane that waits for an operator
 * journal      a merchant's settlements in order
 */
import { z } from 'zod';

const wellFormed = (value: string): boolean => value.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(value);

/** An id from outside: bounded, printable, valid Unicode. Anything else can break a key, a log line or a bytea. */
export const id = (max: number) =>
  z.string().min(1).max(max).refine(wellFormed, { error: 'must be well-formed text without control characters' });

export const merchantId = id(128);

const EARLIEST_MS = Date.parse('0001-01-01T00:00:00.000Z');
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z');
const fourDigits = { error: 'must lie in the years 0001 to 9999 of UTC' };

/** What is no time at all is refused before. */
const hasFourDigits = (text: string): boolean => {
  const ms = Date.parse(text);
  return !(ms < EARLIEST_MS || ms > LATEST_MS);
};

/**
 * A time with its offset. It is kept and sent on in UTC, where `9999-12-31T23:59:59-01:00` is of the year 10000, which no
 * schema takes; and Postgres knows no year 0.
 */
export const isoTimestamp = z.iso.datetime({ offset: true }).refine(hasFourDigits, fourDigits);
export const utcTimestamp = z.iso.datetime().refine(hasFourDigits, fourDigits);
export const isoDay = z.iso.date().refine(hasFourDigits, fourDigits);
const semver = z.string().regex(/^\d{1,4}\.\d{1,4}\.\d{1,6}$/, { error: 'must be a semantic version such as 1.0.0' });

/** Who caused the event, where a person did. */
export const authenticationContext = z.looseObject({
  userId: id(128),
  roles: z.array(id(64)).max(32).optional(),
});

/** Unknown fields pass and are kept: producers may be newer than we are. */
export const envelopeSchema = z.looseObject({
  eventId: id(128),
  eventType: id(128),
  /** Also read from the payload when it is missing here. */
  eventVersion: semver.optional(),
  /** When the event was emitted; the payload's own `timestamp` is when the thing happened. */
  timestamp: isoTimestamp,
  sourceService: id(128),
  correlationId: id(200),
  /** Required of every event that belongs to a merchant; read from the payload when it is missing here. */
  merchantId: merchantId.optional(),
  /** W3C traceparent, a 32-digit trace id, or an X-Ray header. */
  traceId: id(256).optional(),
  authentication: authenticationContext.optional(),
  payload: z.looseObject({}),
});

export type RawEnvelope = z.infer<typeof envelopeSchema>;

/** What a handler sees: one event, payload already brought to the current version. */
export interface LanewayEvent<Payload = unknown> {
  eventId: string;
  eventType: string;
  /** The version in which it was received. */
  eventVersion: string;
  timestamp: string;
  sourceService: string;
  correlationId: string;
  merchantId: string;
  traceparent: string;
  authentication?: z.infer<typeof authenticationContext>;
  mseq: number;
  /** The inbox day, part of the settlement's key. */
  day: string;
  payload: Payload;
}
