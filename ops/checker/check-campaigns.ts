import { campaignStateChangeRequestedPayload } from '../../core/contexts/campaigns/events.ts';
import { type Evidence, type Finding, keyOf } from './evidence.ts';
import type { ExpectedEvent } from './expected.ts';
import { heldAfter, twinsOf } from './network-objects.ts';

const handler = 'synchronizeCampaignStateWithAdNetworks';
const statusAtNetwork = { active: 'ACTIVE', paused: 'PAUSED', ended: 'ENDED' } as const;

/** Longer than the longest pause between two tries of a call. */
const SOON_MS = 900_000;

interface Command {
  readonly merchantId: string;
  readonly campaignId: string;
  readonly network: string;
  readonly eventId: string;
  readonly requestedState: keyof typeof statusAtNetwork;
  readonly dailyBudgetMinor: number | undefined;
}

/**
 * On each network a campaign must be what its last command asked for, by our record and by the network's own log, and it
 * must be there once: a network that takes a creation twice makes two campaigns.
 */
export function checkCampaigns(
  expected: readonly ExpectedEvent[],
  evidence: Evidence,
  dead: ReadonlySet<string>,
): Finding[] {
  const last = lastCommands(expected);
  const findings: Finding[] = [];
  const states = new Map(
    evidence.networkStates.map((row) => [keyOf(row.merchantId, row.campaignId, row.adNetworkId), row]),
  );
  const calls = evidence.calls.filter(({ kind }) => kind === 'campaign');
  const callsOf = Map.groupBy(calls, ({ network, id }) => keyOf(network, id));
  const claimed = new Set<string>();

  for (const [key, command] of last) {
    const { merchantId, campaignId, network, eventId, requestedState } = command;
    const row = states.get(key);
    const external = row?.externalId ?? undefined;
    if (external !== undefined) claimed.add(keyOf(network, external));
    // A command that ended in the dead-letter queue leaves what was there before it.
    if (dead.has(keyOf(merchantId, eventId, handler))) continue;
    const name = `campaign ${campaignId} of ${merchantId} on ${network}`;
    if (row === undefined) findings.push({ kind: 'lost', what: `${name} has no state` });
    else if (row.desiredState !== requestedState || row.status !== 'live' || row.actualState !== requestedState)
      findings.push({
        kind: 'lost',
        what: `${name} should be ${requestedState} but is ${row.status}, wanted ${row.desiredState}, there ${row.actualState ?? 'nothing'}`,
      });
    const there = heldAfter(external === undefined ? [] : (callsOf.get(keyOf(network, external)) ?? []));
    if (there['status'] !== statusAtNetwork[requestedState])
      findings.push({
        kind: 'lost',
        what: `${name} should be ${requestedState} but the network has ${String(there['status'])}`,
      });
    else if (command.dailyBudgetMinor !== undefined && there['dailyBudgetMinor'] !== command.dailyBudgetMinor)
      findings.push({
        kind: 'lost',
        what: `${name} should have a budget of ${command.dailyBudgetMinor} but the network has ${String(there['dailyBudgetMinor'])}`,
      });
  }
  for (const [key, row] of states) {
    if (!last.has(key))
      findings.push({
        kind: 'duplicated',
        what: `${keyOf(row.merchantId, row.campaignId, row.adNetworkId)} has a state although nobody asked for it`,
      });
  }
  return [...findings, ...twinsOf(calls, claimed), ...unfinished(evidence, last, dead)];
}

function lastCommands(expected: readonly ExpectedEvent[]): Map<string, Command> {
  const last = new Map<string, Command>();
  for (const { merchantId, eventId, definition, payload } of expected) {
    if (definition.name !== 'CampaignStateChangeRequestedEvent') continue;
    const { campaignId, adNetworkIds, requestedState, campaignParametersForSync } =
      campaignStateChangeRequestedPayload.parse(payload);
    for (const network of adNetworkIds) {
      const key = keyOf(merchantId, campaignId, network);
      const dailyBudgetMinor = campaignParametersForSync?.dailyBudgetMinor ?? last.get(key)?.dailyBudgetMinor;
      last.set(key, { merchantId, campaignId, network, eventId, requestedState, dailyBudgetMinor });
    }
  }
  return last;
}

/** Intents that rest although what they want was never done. */
function unfinished(evidence: Evidence, last: ReadonlyMap<string, Command>, dead: ReadonlySet<string>): Finding[] {
  const soonMs = Date.now() + SOON_MS;
  return evidence.intents.flatMap(({ merchantId, destination, objectKey, state, eventId, notBeforeMs }) => {
    if (state === 'done' || dead.has(keyOf(merchantId, eventId, handler))) return [];
    // Not due yet: an invoice stays a draft for an hour before it is collected.
    if (state === 'pending' && (notBeforeMs ?? 0) > soonMs) return [];
    const known = [...last.values()].some(
      (command) => command.merchantId === merchantId && command.eventId === eventId,
    );
    // An intent of a known command shows in its campaign's state.
    return known
      ? []
      : [{ kind: 'lost' as const, what: `the intent for ${objectKey} of ${merchantId} at ${destination} is ${state}` }];
  });
}
