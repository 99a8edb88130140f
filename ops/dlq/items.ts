import { z } from 'zod';

/**
 * What can be redriven. Where an event was accepted, Postgres knows how it ended and the DLQ only repeats it; what never
 * became an event is in the DLQ alone.
 *
 *   handler  a pair of event and handler that is settled as dead, or parked
 *   effect   an intent that was given up
 *   message  what could not be decoded, or was refused before it was accepted
 */
export type DeadItem = {
  id: string;
  /** The specification's name of the DLQ. */
  queue: string;
  /** `decode`, `dedupe` or `accept` for a message; `handler@destination` for an effect. */
  handler: string;
  /** One of ours, or of a release that had others. */
  code: string;
  message: string | null;
  attempts: number;
  /** When it was given up; ISO 8601. */
  at: string;
} & (
  | {
      kind: 'handler';
      state: 'dead' | 'parked';
      merchantId: string;
      eventId: string;
      eventType: string;
      mseq: number;
      day: string;
    }
  | {
      kind: 'effect';
      merchantId: string;
      eventId: string;
      eventType: string;
      mseq: number;
      day: string;
      objectKey: string;
    }
  | { kind: 'message'; merchantId: string | null; eventId: string | null; messageId: string }
);

export type AcceptedItem = Exclude<DeadItem, { kind: 'message' }>;

export interface ItemFilter {
  queue: string | undefined;
  /** A handler, also as the first half of `handler@destination`. */
  handler: string | undefined;
  merchantId: string | undefined;
  code: string | undefined;
  /** Given up between the two; epoch milliseconds. */
  since: number | undefined;
  until: number | undefined;
  eventId: string | undefined;
  /** At most so many are listed, or redriven. */
  limit: number;
  /** Go on behind this place, which an earlier answer gave as its `next`. */
  after: string | undefined;
}

/** Handlers that a dead letter names when its message never became an event. */
export const stagesBeforeAcceptance: readonly string[] = ['decode', 'dedupe', 'accept'];

const encode = (parts: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(parts), 'utf8').toString('base64url');

/** Ids name the same thing in every run; they hold merchant ids, which may hold anything. */
export const handlerItemId = (merchantId: string, mseq: number, handler: string): string =>
  `h-${encode([merchantId, mseq, handler])}`;
export const effectItemId = (merchantId: string, destination: string, objectKey: string): string =>
  `e-${encode([merchantId, destination, objectKey])}`;
export const messageItemId = (queue: string, messageId: string): string => `m-${encode([queue, messageId])}`;

export type ItemKey =
  | { kind: 'handler'; merchantId: string; mseq: number; handler: string }
  | { kind: 'effect'; merchantId: string; destination: string; objectKey: string }
  | { kind: 'message'; queue: string; messageId: string };

/** What an id names; undefined where it is none of ours. */
export function keyOf(id: string): ItemKey | undefined {
  const found = itemKey.safeParse(partsOf(id));
  return found.success ? found.data : undefined;
}

function partsOf(id: string): unknown {
  try {
    return [
      id.slice(0, 2),
      ...z.array(z.unknown()).parse(JSON.parse(Buffer.from(id.slice(2), 'base64url').toString())),
    ];
  } catch {
    // No JSON, or no list: then it is none of ours.
    return undefined;
  }
}

const itemKey = z.union([
  z
    .tuple([z.literal('h-'), z.string(), z.int(), z.string()])
    .transform(([, merchantId, mseq, handler]): ItemKey => ({ kind: 'handler', merchantId, mseq, handler })),
  z
    .tuple([z.literal('e-'), z.string(), z.string(), z.string()])
    .transform(([, merchantId, destination, objectKey]): ItemKey => ({
      ...{ kind: 'effect', merchantId, destination, objectKey },
    })),
  z
    .tuple([z.literal('m-'), z.string(), z.string()])
    .transform(([, queue, messageId]): ItemKey => ({ kind: 'message', queue, messageId })),
]);

export const baseHandler = (handler: string): string => handler.split('@')[0] ?? handler;

/** What Postgres filters for itself, said again for what comes from a DLQ. */
export function matches(item: DeadItem, filter: ItemFilter): boolean {
  const at = Date.parse(item.at);
  return (
    (filter.queue === undefined || item.queue === filter.queue) &&
    (filter.handler === undefined || item.handler === filter.handler || baseHandler(item.handler) === filter.handler) &&
    (filter.merchantId === undefined || item.merchantId === filter.merchantId) &&
    (filter.code === undefined || item.code === filter.code) &&
    (filter.since === undefined || at >= filter.since) &&
    (filter.until === undefined || at < filter.until) &&
    (filter.eventId === undefined || item.eventId === filter.eventId)
  );
}
