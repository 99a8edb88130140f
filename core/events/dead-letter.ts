import { createHash } from 'node:crypto';
import type { OutboxRow } from '../database/outbox.ts';
import type { ErrorRecord } from '../runtime/errors.ts';

/** SQS and SNS take at most this many bytes of body and attributes together. */
export const MAX_MESSAGE_BYTES = 1_048_576;
const ATTRIBUTE_ROOM = 16_384;

export interface DeadLetter {
  merchantId: string;
  eventId: string;
  eventType: string;
  sourceQueue: string;
  deadLetterQueue: string;
  /** The handler or effect that gave up. */
  handler: string;
  correlationId: string;
  attempts: number;
  first: ErrorRecord;
  last: ErrorRecord;
  /** Distinguishes dead letters of one (event, handler): a failed redrive must not be swallowed by a dedupe window. */
  ordinal: number;
  /** The original body, unchanged. */
  body: Buffer;
  /** It is about a person: the body stays where it is encrypted. */
  sealed?: boolean;
  /** Where the body lies when it is too large to send, or is not to be sent. */
  reference: { day: string; mseq: number };
}

const printable = (text: string, max: number): string =>
  text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/g, '?').slice(0, max) || '-';

/** Groups failures of one cause: handler, code, message without its numbers and ids, and where it was thrown. */
export function fingerprintOf(handler: string, error: ErrorRecord): string {
  const message = error.message.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|"[^"]*"|'[^']*'|\d+/gi, '#');
  return createHash('sha256')
    .update(JSON.stringify([handler, error.code, message, error.frame ?? '']))
    .digest('hex')
    .slice(0, 16);
}

/** The ten attributes that every dead letter carries, ten being the most that SQS takes. */
export function deadLetterAttributes(letter: {
  merchantId: string;
  sourceQueue: string;
  handler: string;
  correlationId: string;
  attempts: number;
  first: ErrorRecord;
  last: ErrorRecord;
}): Record<string, string> {
  return {
    sourceQueue: letter.sourceQueue,
    handler: letter.handler,
    merchantId: printable(letter.merchantId, 300),
    errorCode: letter.last.code,
    reason: printable(letter.last.message, 1_000),
    attempts: String(letter.attempts),
    firstErrorAt: letter.first.at,
    lastErrorAt: letter.last.at,
    fingerprint: fingerprintOf(letter.handler, letter.last),
    correlationId: printable(letter.correlationId, 200),
  };
}

/** A dead letter as an outbox row, written in the transaction that settles the event as dead. */
export function deadLetterRow(letter: DeadLetter): OutboxRow {
  const fits = letter.sealed !== true && letter.body.length + ATTRIBUTE_ROOM <= MAX_MESSAGE_BYTES;
  const body = fits
    ? letter.body
    : Buffer.from(
        JSON.stringify({
          bodyIn: 'inbox',
          merchantId: letter.merchantId,
          eventId: letter.eventId,
          ...letter.reference,
        }),
      );
  return {
    eventId: letter.eventId,
    eventType: letter.eventType,
    merchantId: letter.merchantId,
    destination: `queue:${letter.deadLetterQueue}`,
    attributes: deadLetterAttributes(letter),
    body,
    stream: 'dead-letters',
    deduplicationId: createHash('sha256')
      .update(JSON.stringify([letter.merchantId, letter.eventId, letter.handler, letter.ordinal]))
      .digest('hex'),
  };
}
