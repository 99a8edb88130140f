import { type Evidence, type Finding, keyOf } from './evidence.ts';
import type { ExpectedEvent } from './expected.ts';

/**
 * Producer order: of the events of one sequence, a handler that holds its merchant must have settled them in that order,
 * one that holds an aggregate those of each aggregate. A handler that holds only its event promises none. Numbers given at
 * intake must be dense, and on a FIFO route rise in producer order.
 */
export function checkOrder(expected: readonly ExpectedEvent[], evidence: Evidence): Finding[] {
  const mseqs = new Map(evidence.accepted.map((a) => [keyOf(a.merchantId, a.eventId), a.mseq]));
  const settledSeqs = new Map(
    evidence.settlements.map((s) => [keyOf(s.merchantId, s.eventId, s.handler), s.settledSeq] as const),
  );
  const findings: Finding[] = [...checkDensity(evidence.accepted)];

  for (const events of Map.groupBy(expected, ({ sequence }) => sequence).values()) {
    const [first] = events;
    if (first === undefined || first.definition.route !== 'fifo') continue;
    findings.push(
      ...inversions(events, ({ merchantId, eventId }) => mseqs.get(keyOf(merchantId, eventId)), 'was numbered'),
    );
    const handlers = new Map(events.flatMap((event) => event.handlers.map((handler) => [handler.name, handler])));
    for (const handler of handlers.values()) {
      if (handler.holds === 'event') continue;
      const own = events.filter((event) => event.handlers.includes(handler));
      const groups =
        handler.holds === 'merchant'
          ? [own]
          : Map.groupBy(own, ({ definition, payload }) => definition.aggregate?.(payload) ?? '').values();
      for (const group of groups) {
        const seqOf = ({ merchantId, eventId }: ExpectedEvent) =>
          settledSeqs.get(keyOf(merchantId, eventId, handler.name));
        findings.push(...inversions(group, seqOf, `was settled by ${handler.name}`));
      }
    }
  }
  return findings;
}

/** One finding for each event that came before one that it should have followed. */
function inversions(
  inOrder: readonly ExpectedEvent[],
  positionOf: (event: ExpectedEvent) => number | undefined,
  did: string,
): Finding[] {
  const findings: Finding[] = [];
  let latest: { event: ExpectedEvent; position: number } | undefined;
  for (const event of inOrder) {
    const position = positionOf(event);
    if (position === undefined) continue;
    if (latest === undefined || position > latest.position) latest = { event, position };
    else
      findings.push({
        kind: 'reordered',
        what: `event ${event.eventId} of ${event.merchantId} ${did} before ${latest.event.eventId}, which was sent before it`,
      });
  }
  return findings;
}

function checkDensity(accepted: Evidence['accepted']): Finding[] {
  return [...Map.groupBy(accepted, ({ merchantId }) => merchantId)].flatMap(([merchantId, rows]) => {
    const numbers = rows.map(({ mseq }) => mseq).toSorted((a, b) => a - b);
    const gap = numbers.findIndex((mseq, index) => mseq !== index + 1);
    return gap === -1
      ? []
      : [
          {
            kind: 'reordered',
            what: `the events of ${merchantId} are not numbered 1, 2, 3 …: ${numbers[gap]} at ${gap + 1}`,
          },
        ];
  });
}
