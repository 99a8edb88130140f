import { checkMessages } from '../checker/check-messages.ts';
import { type Evidence, type NetworkCall, keyOf } from '../checker/evidence.ts';
import { creationsByTag, heldAfter } from '../checker/network-objects.ts';
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
  /** How many of each were made at the networks, twins included. */
  readonly made: Readonly<Record<NetworkCall['kind'], number>>;
  /** Campaigns, ad sets and ads that a network was made to hold twice, on the way. */
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
  /** What lies under something that has ended has ended with it. */
  const isLive = (network: string, id: string): boolean => {
    const { status, parentId } = heldAfter(histories.get(keyOf(network, id)) ?? []);
    return status !== 'ENDED' && (typeof parentId !== 'string' || isLive(network, parentId));
  };
  const countMade = (kind: NetworkCall['kind']): number =>
    evidence.calls.filter((call) => call.op === 'create' && call.kind === kind).length;
  const twins = [...creationsByTag(evidence.calls)].filter(([, same]) => same.length > 1);
  const live = twins.filter(([, same]) => same.filter(({ network, id }) => isLive(network, id)).length > 1);
  const twice = checkMessages(evidence);
  return {
    ...{ droppedCalls, droppedMessages, unknownMessages },
    made: { campaign: countMade('campaign'), ad_set: countMade('ad_set'), ad: countMade('ad') },
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
