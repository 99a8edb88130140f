import { type End, type History, type OpenPair, keyOf, pairKey } from './history.ts';

export interface Misses {
  /** Pairs that ended nowhere. */
  readonly lost: string[];
  /** Effects beyond the one that a pair may have. */
  readonly duplicateEffects: string[];
}

/**
 * Every event that was sent has one end at each of its handlers: done with exactly one effect, skipped or dead with a
 * reason and no effect, or parked with an error. A dead one lies in a dead-letter queue, and what is open otherwise must
 * wait behind one that is parked.
 */
export function findMisses(history: History): Misses {
  const lost: string[] = [];
  const duplicateEffects: string[] = [];
  const ends = Map.groupBy(history.ends, pairKey);
  const effects = Map.groupBy(history.effects, pairKey);
  const letters = new Set(history.deadLetters.map(pairKey));
  const open = new Map(history.open.map((pair) => [pairKey(pair), pair]));
  const aggregates = new Map(history.sent.map((sent) => [keyOf(sent.merchantId, sent.eventId), sent.aggregate]));
  const streamOf = (pair: OpenPair) =>
    keyOf(pair.handler, pair.merchantId, aggregates.get(keyOf(pair.merchantId, pair.eventId)) ?? '');
  const parked = new Set(history.open.filter(({ state }) => state === 'parked').map(streamOf));
  const accepted = new Set(history.accepted.map(({ merchantId, eventId }) => keyOf(merchantId, eventId)));
  const expected = new Set<string>();

  for (const { merchantId, eventId, handlers } of history.sent) {
    for (const handler of handlers) {
      const pair = { merchantId, eventId, handler };
      const key = pairKey(pair);
      const what = `${eventId} of ${merchantId} at ${handler}`;
      expected.add(key);
      const own = ends.get(key) ?? [];
      const last = own.at(-1);
      const done = own.filter(({ outcome }) => outcome === 'done').length;
      const acted = effects.get(key)?.length ?? 0;
      if (acted > 1 || done > 1) duplicateEffects.push(`${what}: ${acted} effects, settled as done ${done} times`);
      else if (acted > done) duplicateEffects.push(`${what}: an effect, but ended as ${last?.outcome ?? 'nothing'}`);
      if (last !== undefined) lost.push(...faultsOfEnd(last, acted, letters.has(key), what));
      else if (!accepted.has(keyOf(merchantId, eventId))) lost.push(`${what}: was never accepted`);
      else lost.push(...faultsOfOpen(open.get(key), what, (pair) => parked.has(streamOf(pair))));
    }
  }
  for (const [key, own] of effects) {
    if (!expected.has(key)) duplicateEffects.push(`${key}: ${own.length} effects of what nobody sent`);
  }
  return { lost, duplicateEffects };
}

function faultsOfEnd({ outcome, reason }: End, effects: number, hasLetter: boolean, what: string): string[] {
  if (outcome === 'done') return effects === 0 ? [`${what}: settled as done, without an effect`] : [];
  const silent = reason === null || reason === '' ? [`${what}: ${outcome} without a reason`] : [];
  const unsent = outcome === 'dead' && !hasLetter ? [`${what}: dead, but in no dead-letter queue`] : [];
  return [...silent, ...unsent];
}

function faultsOfOpen(
  pair: OpenPair | undefined,
  what: string,
  standsBehindParked: (pair: OpenPair) => boolean,
): string[] {
  if (pair === undefined) return [`${what}: accepted, and nothing came of it`];
  if (pair.state === 'behind') return standsBehindParked(pair) ? [] : [`${what}: behind nothing`];
  if (pair.state === 'parked') return pair.errorCode === '' ? [`${what}: parked without a reason`] : [];
  return [`${what}: still ${pair.state}`];
}
