import { type Evidence, type Finding, type Settlement, keyOf } from './evidence.ts';
import type { ExpectedEvent } from './expected.ts';

export interface Settled {
  readonly findings: readonly Finding[];
  /** (event, handler) pairs that were applied. */
  readonly applied: number;
  readonly skipped: number;
  /** Pairs that ended in a dead-letter queue, by `keyOf(merchant, event, handler)`. */
  readonly dead: ReadonlySet<string>;
}

const nameOf = (merchantId: string, eventId: string, handler: string): string =>
  `event ${eventId} of ${merchantId} at ${handler}`;

/**
 * Every expected pair must have exactly one end: applied, skipped with a reason, or dead and then in the dead-letter queue.
 * A settlement that nothing asked for is an effect too many.
 */
export function checkSettlements(expected: readonly ExpectedEvent[], evidence: Evidence): Settled {
  const findings: Finding[] = [];
  const dead = new Set<string>();
  const settlements = Map.groupBy(evidence.settlements, (s) => keyOf(s.merchantId, s.eventId, s.handler));
  const letters = Map.groupBy(evidence.deadLetters, (l) => keyOf(l.merchantId ?? '', l.eventId ?? '', l.handler));
  const lettersOfEvent = new Set(evidence.deadLetters.map((l) => keyOf(l.merchantId ?? '', l.eventId ?? '')));
  const accepted = Map.groupBy(evidence.accepted, (a) => keyOf(a.merchantId, a.eventId));
  const wanted = new Set<string>();
  const tally = { applied: 0, skipped: 0 };

  for (const { merchantId, eventId, handlers } of expected) {
    const event = keyOf(merchantId, eventId);
    for (const { name: handler } of handlers) {
      const pair = keyOf(merchantId, eventId, handler);
      wanted.add(pair);
      const ends = settlements.get(pair) ?? [];
      const what = nameOf(merchantId, eventId, handler);
      if (ends.length > 1) findings.push({ kind: 'duplicated', what: `${what} is settled ${ends.length} times` });
      const refusedAtIntake = !accepted.has(event) && lettersOfEvent.has(event);
      if (refusedAtIntake || letters.has(pair)) dead.add(pair);
      const [end] = ends;
      if (end === undefined) {
        if (!refusedAtIntake) findings.push({ kind: 'lost', what: `${what} has no end` });
      } else findings.push(...judgeEnd(end, letters.has(pair), what, tally));
    }
  }
  for (const [pair, [end]] of settlements) {
    if (end !== undefined && !wanted.has(pair))
      findings.push({
        kind: 'duplicated',
        what: `${nameOf(end.merchantId, end.eventId, end.handler)} is settled although nobody sent it`,
      });
  }
  const known = new Set(expected.map(({ merchantId, eventId }) => keyOf(merchantId, eventId)));
  for (const [pair, same] of letters) {
    const [first] = same;
    // What cannot be read names no event of ours, or cannot be held to what it names.
    if (!known.has(keyOf(first?.merchantId ?? '', first?.eventId ?? ''))) continue;
    if (same.length > 1) findings.push({ kind: 'duplicated', what: `${pair} has ${same.length} dead letters` });
  }
  for (const [event, rows] of accepted) {
    if (rows.length > 1) findings.push({ kind: 'duplicated', what: `${event} was accepted ${rows.length} times` });
  }
  for (const { merchantId, eventId, state } of evidence.unsent)
    findings.push({ kind: 'lost', what: `outbox row of event ${eventId} of ${merchantId} is ${state}` });
  for (const { merchantId, eventId, handler, state } of evidence.openDeliveries)
    // One that was settled all the same is counted by its settlement.
    if (!settlements.has(keyOf(merchantId, eventId, handler)) && !wanted.has(keyOf(merchantId, eventId, handler)))
      findings.push({ kind: 'lost', what: `${nameOf(merchantId, eventId, handler)} is still ${state}` });
  return { findings, ...tally, dead };
}

function judgeEnd(
  { outcome, reason }: Settlement,
  hasLetter: boolean,
  what: string,
  tally: { applied: number; skipped: number },
): Finding[] {
  if (outcome === 'dead')
    return hasLetter ? [] : [{ kind: 'lost', what: `${what} is dead but in no dead-letter queue` }];
  if (outcome === 'done') {
    tally.applied += 1;
    return [];
  }
  tally.skipped += 1;
  return reason === null || reason === '' ? [{ kind: 'lost', what: `${what} was skipped without a reason` }] : [];
}
