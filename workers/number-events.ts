import type { AcceptResult, AcceptableEvent } from './accept-rows.ts';

/** A merchant's mailbox as it is while its row is locked, and how far its lane has come. */
export interface LockedMailbox {
  merchantId: string;
  /** The number that the merchant's next event gets. */
  nextMseq: number;
  /** Of the latest event, `YYYY-MM-DD`. */
  lastDay: string;
  cursor: number;
}

/** An event that was accepted earlier under the same id. */
export interface KnownEvent {
  /** Position in the batch, from 0. */
  at: number;
  mseq: number;
  day: string;
  bodyHmac: Buffer;
}

export interface NumberedEvent {
  event: AcceptableEvent;
  mseq: number;
  day: string;
}

export interface NumberedBatch {
  /** For each event, in the order given. */
  results: readonly AcceptResult[];
  /** To be stored. */
  fresh: readonly NumberedEvent[];
  /** As the mailboxes are to be afterwards; only those that take an event. */
  mailboxes: readonly LockedMailbox[];
}

/**
 * Numbers what is new among events whose merchants' mailboxes are all locked. A merchant's numbers are dense and follow the
 * order given; what was accepted before, or occurs earlier in the batch, takes none. The day never falls as numbers rise,
 * whatever the clock says that `today` comes from.
 */
export function numberEvents(
  events: readonly AcceptableEvent[],
  { mailboxes, known, today }: { mailboxes: readonly LockedMailbox[]; known: readonly KnownEvent[]; today: string },
): NumberedBatch {
  const mailboxOf = new Map(mailboxes.map((mailbox) => [mailbox.merchantId, { ...mailbox, taken: 0 }]));
  const lockedMailboxOf = (merchantId: string) => {
    const mailbox = mailboxOf.get(merchantId);
    if (mailbox === undefined) throw new Error(`the mailbox of merchant ${merchantId} is not locked`);
    return mailbox;
  };
  const knownAt = new Map(known.map((each) => [each.at, each]));
  const firsts = new Map<string, { at: number | undefined; mseq: number; day: string; bodyHmac: Buffer }>();
  const fresh: NumberedEvent[] = [];
  const firstOf = (event: AcceptableEvent, at: number) => {
    const key = JSON.stringify([event.merchantId, event.eventId]);
    const before = firsts.get(key);
    if (before !== undefined) return before;
    const accepted = knownAt.get(at);
    const first = accepted === undefined ? { at, ...take(event) } : { ...accepted, at: undefined };
    firsts.set(key, first);
    return first;
  };
  const take = (event: AcceptableEvent) => {
    const mailbox = lockedMailboxOf(event.merchantId);
    if (mailbox.lastDay < today) mailbox.lastDay = today;
    const numbered = { mseq: mailbox.nextMseq, day: mailbox.lastDay };
    mailbox.nextMseq += 1;
    mailbox.taken += 1;
    fresh.push({ event, ...numbered });
    return { ...numbered, bodyHmac: event.bodyHmac };
  };
  const answers = events.map(firstOf);
  const results = events.map((event, index): AcceptResult => {
    const first = answers[index];
    if (first === undefined) throw new Error(`event ${event.eventId} was not numbered`);
    const { at, mseq, day, bodyHmac } = first;
    if (!bodyHmac.equals(event.bodyHmac)) return { status: 'conflict' };
    const { nextMseq, cursor } = lockedMailboxOf(event.merchantId);
    const lane = { cursor, backlog: Math.max(0, nextMseq - 1 - cursor) };
    return { status: at === index ? 'accepted' : 'duplicate', mseq, day, lane };
  });
  return { results, fresh, mailboxes: [...mailboxOf.values()].filter(({ taken }) => taken > 0) };
}
