import {
  type AdPerformanceDataIngested,
  adPerformanceDataIngestedPayload,
} from '../../core/contexts/ad-networks/events.ts';
import { type Evidence, type Finding, type PerformanceRow, keyOf } from './evidence.ts';
import type { ExpectedEvent } from './expected.ts';

/** For each day and object the newest reading that was sent must be what is stored, in whatever order they came. */
export function checkPerformance(
  expected: readonly ExpectedEvent[],
  evidence: Evidence,
  dead: ReadonlySet<string>,
): Finding[] {
  const wanted = new Map<string, AdPerformanceDataIngested[]>();
  for (const { merchantId, eventId, definition, payload } of expected) {
    if (definition.name !== 'AdPerformanceDataIngestedEvent') continue;
    if (dead.has(keyOf(merchantId, eventId, 'processIngestedPerformanceData'))) continue;
    const report = adPerformanceDataIngestedPayload.parse(payload);
    const { reportDate, adNetworkId, campaignId = '', adSetId = '', adId = '' } = report;
    const key = keyOf(merchantId, reportDate, adNetworkId, campaignId, adSetId, adId);
    const known = wanted.get(key);
    const age = known?.[0] === undefined ? 1 : Date.parse(report.timestamp) - Date.parse(known[0].timestamp);
    // Of two readings of one instant neither is newer.
    if (known === undefined || age > 0) wanted.set(key, [report]);
    else if (age === 0) known.push(report);
  }

  const held = new Map(
    evidence.performance.map((row) => [
      keyOf(row.merchantId, row.reportDate, row.adNetworkId, row.campaignId, row.adSetId, row.adId),
      row,
    ]),
  );
  const findings: Finding[] = [];
  for (const [key, newest] of wanted) {
    const row = held.get(key);
    if (row === undefined) findings.push({ kind: 'lost', what: `the figures of ${key} are missing` });
    else if (!newest.some((report) => isSame(report, row)))
      findings.push({ kind: 'lost', what: `the figures of ${key} are not those of ${newest[0]?.timestamp}` });
  }
  for (const key of held.keys()) {
    if (!wanted.has(key))
      findings.push({ kind: 'duplicated', what: `the figures of ${key} exist although nobody sent them` });
  }
  return findings;
}

const isSame = ({ timestamp, metricsPayload: sent }: AdPerformanceDataIngested, row: PerformanceRow): boolean =>
  Date.parse(timestamp) === row.sourceAtMs &&
  sent.impressions === row.impressions &&
  sent.clicks === row.clicks &&
  sent.conversions === row.conversions &&
  sent.spendMicros === row.spendMicros &&
  sent.currency === row.currency;
