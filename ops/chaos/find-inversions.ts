import {
  type Effect,
  type End,
  type ExpectedHandler,
  type History,
  type Sent,
  keyOf,
  pairKey,
  positionsOf,
} from './history.ts';

/** An effect or an end at its place among its merchant's commits. */
interface Placed {
  readonly handler: string;
  readonly merchantId: string;
  readonly eventId: string;
  readonly mseq: number;
  readonly position: number;
  readonly seq: number;
}

/**
 * What came in another order than was promised:
 * producers   what one sends to a queue that keeps order is numbered in that order
 * merchant    nothing later of the merchant commits before an event that holds it, and the handler acts in order
 * aggregate   the handler commits and acts in order for each aggregate
 * event       nothing is promised
 *
 * A pair that an operator asked for again after its dead letter has given up its place. One that was kept has not: what it
 * held waits for it.
 */
export function findInversions(history: History): string[] {
  // One that is late by several of these rules is late once.
  const findings = new Map<string, string>();
  for (const { key, what } of allInversions(history)) if (!findings.has(key)) findings.set(key, what);
  return [...findings.values()];
}

interface Late {
  readonly key: string;
  readonly what: string;
}

function allInversions(history: History): Late[] {
  const positionOf = positionsOf(history.commits);
  const place = (row: Effect | End): Placed => ({ ...row, position: positionOf(row) });
  const inPlace = firstsInPlace(history);
  const ends = history.ends.filter(inPlace).map(place);
  const effects = history.effects.filter(inPlace).map(place);
  const aggregates = new Map(history.sent.map((sent) => [keyOf(sent.merchantId, sent.eventId), sent.aggregate]));
  return [
    ...producerInversions(history),
    ...merchantInversions(ends, history.handlers),
    ...streamInversions([...ends], history.handlers, aggregates, 'was settled'),
    ...streamInversions([...effects], history.handlers, aggregates, 'was done'),
  ];
}

/** False for rows of pairs that were redriven out of a dead-letter queue, but for the end that put them there. */
function firstsInPlace({ redriven, handlers }: History): (row: Effect | End) => boolean {
  return (row) => {
    if (!redriven.has(pairKey(row)) || handlers.get(row.handler)?.onPoison === 'keep') return true;
    return 'outcome' in row && row.outcome === 'dead';
  };
}

function producerInversions({ sent, accepted }: History): Late[] {
  const numbers = new Map(accepted.map((a) => [keyOf(a.merchantId, a.eventId), a.mseq]));
  const streams = Map.groupBy(
    sent.filter(({ sequence }) => sequence !== undefined),
    ({ sequence }) => sequence,
  );
  return [...streams.values()].flatMap((stream) => {
    const known = stream.flatMap((event: Sent) => {
      const mseq = numbers.get(keyOf(event.merchantId, event.eventId));
      return mseq === undefined ? [] : [{ ...event, mseq }];
    });
    return descents(known).map(({ eventId, merchantId, mseq }) => ({
      key: keyOf(merchantId, eventId),
      what: `${eventId} of ${merchantId} was numbered ${mseq}`,
    }));
  });
}

/** Whole transactions are compared: inside of one, handlers take turns at runs of events, and all of it commits at once. */
function merchantInversions(ends: readonly Placed[], handlers: ReadonlyMap<string, ExpectedHandler>): Late[] {
  const findings: Late[] = [];
  for (const own of Map.groupBy(ends, ({ merchantId }) => merchantId).values()) {
    let passed = 0;
    for (const [, together] of [...Map.groupBy(own, ({ position }) => position)].toSorted(([a], [b]) => a - b)) {
      for (const end of together) {
        const { handler, merchantId, eventId, mseq } = end;
        if (handlers.get(handler)?.holds === 'merchant' && mseq < passed)
          findings.push({
            key: pairKey(end),
            what: `${eventId} (${mseq}) of ${merchantId} ended at ${handler} after ${passed} had`,
          });
      }
      passed = Math.max(passed, ...together.map(({ mseq }) => mseq));
    }
  }
  return findings;
}

/** For each handler that keeps an order: its rows of one merchant, or of one aggregate, must rise. */
function streamInversions(
  rows: readonly Placed[],
  handlers: ReadonlyMap<string, ExpectedHandler>,
  aggregates: ReadonlyMap<string, string>,
  what: string,
): Late[] {
  const ordered = rows.toSorted((a, b) => a.position - b.position || a.seq - b.seq);
  const streams = Map.groupBy(ordered, ({ handler, merchantId, eventId }) => {
    const holds = handlers.get(handler)?.holds ?? 'event';
    switch (holds) {
      case 'event':
        return undefined;
      case 'merchant':
        return keyOf(handler, merchantId);
      case 'aggregate':
        return keyOf(handler, merchantId, aggregates.get(keyOf(merchantId, eventId)) ?? '');
      default:
        return holds satisfies never;
    }
  });
  return [...streams].flatMap(([stream, own]) =>
    stream === undefined
      ? []
      : descents(own).map((row) => ({
          key: pairKey(row),
          what: `${row.eventId} (${row.mseq}) of ${row.merchantId} ${what} late by ${row.handler}`,
        })),
  );
}

/** Those whose number is below one that came before. */
function descents<T extends { readonly mseq: number }>(rows: readonly T[]): T[] {
  let highest = 0;
  return rows.filter(({ mseq }) => {
    const late = mseq < highest;
    highest = Math.max(highest, mseq);
    return late;
  });
}
