import { type Registry, registry as laneway } from '../../core/events/registry.ts';
import type { SentEvent } from '../load/load-event.ts';
import { checkAdObjects } from './check-ad-objects.ts';
import { checkCampaigns } from './check-campaigns.ts';
import { checkMessages } from './check-messages.ts';
import { checkOrder } from './check-order.ts';
import { checkPerformance } from './check-performance.ts';
import { checkPoison } from './check-poison.ts';
import { checkProducts } from './check-products.ts';
import { checkSettlements } from './check-settlements.ts';
import { type Evidence, type Finding, keyOf } from './evidence.ts';
import { type ExpectedEvent, expectedEvents } from './expected.ts';

export interface CheckReport {
  /** Distinct events that were sent. */
  readonly events: number;
  /** Distinct events that the system itself emitted. */
  readonly emitted: number;
  /** (event, handler) pairs that took effect, those of emitted events included. */
  readonly applied: number;
  readonly skipped: number;
  /** Events that were sent although nobody can read them. */
  readonly poison: number;
  /** Messages in dead-letter queues, those of poison included. */
  readonly deadLettered: number;
  /** The same by who gave up and why, `handler: error code`; stages of the intake count as handlers. */
  readonly deadLetteredBy: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** From sending an event to the settlement of its last handler. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** When the last event was settled. */
  readonly lastSettledAtMs: number;
  readonly findings: readonly Finding[];
}

/**
 * Compares what was sent with what the stores hold at the end. Shares with the pipeline only the registry and the schemas,
 * which are the contract; every expected value is worked out here again.
 */
export function checkRun(sent: readonly SentEvent[], evidence: Evidence, registry: Registry = laneway): CheckReport {
  const expected = expectedEvents(sent, evidence.emitted, registry);
  const readable = expected.filter(({ isPoison }) => !isPoison);
  const settled = checkSettlements(readable, evidence);
  const findings = [
    ...settled.findings,
    ...checkPoison(sent, evidence),
    ...checkOrder(readable, evidence),
    ...checkProducts(readable, evidence, settled.dead),
    ...checkPerformance(readable, evidence, settled.dead),
    ...checkCampaigns(readable, evidence, settled.dead),
    ...checkAdObjects(evidence),
    ...checkMessages(evidence),
  ];
  const count = (kind: Finding['kind']) => findings.filter((finding) => finding.kind === kind).length;
  return {
    events: expected.filter(({ origin }) => origin === 'sent').length,
    emitted: expected.filter(({ origin }) => origin === 'emitted').length,
    applied: settled.applied,
    skipped: settled.skipped,
    poison: expected.length - readable.length,
    deadLettered: evidence.deadLetters.length,
    deadLetteredBy: countBy(evidence.deadLetters.map(({ handler, errorCode }) => `${handler}: ${errorCode}`)),
    lost: count('lost'),
    duplicated: count('duplicated'),
    reordered: count('reordered'),
    ...latencies(expected, evidence),
    findings,
  };
}

function countBy(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of keys.toSorted()) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

function latencies(expected: readonly ExpectedEvent[], evidence: Evidence) {
  const settledAt = new Map<string, number>();
  for (const { merchantId, eventId, settledAtMs } of evidence.settlements) {
    const key = keyOf(merchantId, eventId);
    settledAt.set(key, Math.max(settledAt.get(key) ?? 0, settledAtMs));
  }
  const waits = expected
    .flatMap(({ merchantId, eventId, sentAtMs }) => {
      const end = settledAt.get(keyOf(merchantId, eventId));
      return end === undefined ? [] : [Math.max(0, end - sentAtMs)];
    })
    .toSorted((a, b) => a - b);
  const percentile = (share: number) => waits[Math.max(0, Math.ceil(waits.length * share) - 1)] ?? 0;
  let lastSettledAtMs = 0;
  for (const at of settledAt.values()) lastSettledAtMs = Math.max(lastSettledAtMs, at);
  return { p50Ms: percentile(0.5), p99Ms: percentile(0.99), lastSettledAtMs };
}
