import { campaignFrom, tagOf } from '../checker/check-campaigns.ts';
import { checkMessages } from '../checker/check-messages.ts';
import { type Evidence, keyOf } from '../checker/evidence.ts';
import type { Report } from '../checker/report-money.ts';

export interface PartnerEvidence extends Pick<Evidence, 'calls' | 'messages' | 'notified'> {
  readonly droppedCalls: number;
  readonly droppedMessages: number;
  /** Notifications that we say nobody knows the outcome of. */
  readonly unknownMessages: number;
  readonly reports: Readonly<Record<string, Report>>;
}

export interface PartnerJudgement {
  /** Calls to networks that took effect without an answer. */
  readonly droppedCalls: number;
  readonly droppedMessages: number;
  readonly unknownMessages: number;
  /** Campaigns that a network was made to hold twice, on the way. */
  readonly twinsMade: number;
  readonly liveTwins: number;
  readonly sentTwice: number;
  readonly reports: Readonly<Record<string, Report>>;
  readonly findings: readonly string[];
}

/** What the outside holds after a run, by its own append-only logs, against what we promise about it. Pure. */
export function checkPartners(evidence: PartnerEvidence): PartnerJudgement {
  const { droppedCalls, droppedMessages, unknownMessages, reports } = evidence;
  const histories = Map.groupBy(evidence.calls, ({ network, id }) => keyOf(network, id));
  const isLive = (network: string, id: string): boolean =>
    campaignFrom(histories.get(keyOf(network, id)) ?? [])['status'] !== 'ENDED';
  const made = evidence.calls.filter(({ op }) => op === 'create');
  const twins = [...Map.groupBy(made, (call) => keyOf(call.network, call.account, tagOf(call)))].filter(
    ([, same]) => same.length > 1,
  );
  const live = twins.filter(([, same]) => same.filter(({ network, id }) => isLive(network, id)).length > 1);
  const twice = checkMessages(evidence);
  return {
    ...{ droppedCalls, droppedMessages, unknownMessages },
    twinsMade: twins.length,
    liveTwins: live.length,
    sentTwice: twice.length,
    reports,
    findings: [
      ...live.map(([key]) => `twin: ${key} lives more than once`),
      ...twice.map(({ what }) => `sent twice: ${what}`),
      ...(unknownMessages >= droppedMessages
        ? []
        : [`unknown: ${droppedMessages} messages got no answer, and ${unknownMessages} are said to be unknown`]),
      ...Object.entries(reports).flatMap(([name, { match, differences }]) =>
        match ? [] : [`report ${name} differs: ${differences.join('; ')}`],
      ),
    ],
  };
}
