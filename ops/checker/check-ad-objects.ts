import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type AdNetworkId, adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import type { AskedAdObject } from '../load/advertise.ts';
import { type AdObjectState, type Evidence, type Finding, type NetworkCall, keyOf } from './evidence.ts';
import { heldAfter, twinsOf } from './network-objects.ts';

const statusAtNetwork = { active: 'ACTIVE', paused: 'PAUSED', ended: 'ENDED' } as const;

const settingsSchema = z.record(z.string(), z.unknown()).catch({});

/**
 * On each network that it has settings for, an ad set or ad must be what its merchant asked for last, under what it belongs
 * to, by our record and by the network's own log, and it must be there once.
 */
export function checkAdObjects(
  evidence: Pick<Evidence, 'askedAdObjects' | 'adObjectStates' | 'networkStates' | 'calls'>,
): Finding[] {
  const { askedAdObjects, adObjectStates } = evidence;
  const calls = evidence.calls.filter(({ kind }) => kind !== 'campaign');
  const callsOf = Map.groupBy(calls, ({ network, id }) => keyOf(network, id));
  const states = new Map(adObjectStates.map((row) => [keyOf(row.merchantId, row.objectId, row.adNetworkId), row]));
  const campaigns = new Map(
    evidence.networkStates.map((row) => [keyOf(row.merchantId, row.campaignId, row.adNetworkId), row.externalId]),
  );
  const findings: Finding[] = [];
  const known = new Set<string>();
  for (const asked of askedAdObjects)
    for (const network of adNetworkIds) {
      if (asked.settings[network] === undefined) continue;
      const { merchantId, objectId, campaignId, adSetId } = asked;
      known.add(keyOf(merchantId, objectId, network));
      const state = states.get(keyOf(merchantId, objectId, network));
      const parent =
        adSetId === undefined
          ? campaigns.get(keyOf(merchantId, campaignId, network))
          : states.get(keyOf(merchantId, adSetId, network))?.externalId;
      const isEnded = (id: string) => heldAfter(callsOf.get(keyOf(network, id)) ?? [])['status'] === 'ENDED';
      const own = callsOf.get(keyOf(network, atNetwork(state))) ?? [];
      const wrong = whatIsWrong(asked, network, { state, parent: parent ?? '', own, isEnded });
      const name = `${asked.kind === 'ad' ? 'ad' : 'ad set'} ${objectId} of ${merchantId} on ${network}`;
      findings.push(...wrong.map((what) => ({ kind: 'lost' as const, what: `${name} ${what}` })));
    }
  for (const key of states.keys())
    if (!known.has(key)) findings.push({ kind: 'duplicated', what: `${key} has a state although nobody asked for it` });
  const claimed = new Set(adObjectStates.map((row) => keyOf(row.adNetworkId, atNetwork(row))));
  return [...findings, ...twinsOf(calls, claimed)];
}

/** Google calls an ad by its ad group too: `123~456`. */
const atNetwork = (state: AdObjectState | undefined): string => /[^~]*$/.exec(state?.externalId ?? '')?.[0] ?? '';

interface Held {
  readonly state: AdObjectState | undefined;
  readonly parent: string;
  readonly own: readonly NetworkCall[];
  readonly isEnded: (externalId: string) => boolean;
}

function whatIsWrong(asked: AskedAdObject, network: AdNetworkId, { state, parent, own, isEnded }: Held): string[] {
  // It may have ended before it was made.
  if (asked.state === 'ended' && own.length === 0) return [];
  if (state === undefined) return ['has no state'];
  const { status, actualState } = state;
  if (status !== 'live' || actualState !== asked.state)
    return [`should be ${asked.state} but is ${status}, there ${actualState ?? 'nothing'}`];
  const held = heldAfter(own);
  // What lies under something that has ended has ended with it.
  if (asked.state === 'ended' && isEnded(parent)) return [];
  if (held['status'] !== statusAtNetwork[asked.state])
    return [`should be ${asked.state} but the network has ${String(held['status'])}`];
  // What has ended is not told of changes any more.
  if (asked.state === 'ended') return [];
  const settings = settingsSchema.parse(held['settings']);
  return [
    ...(held['parentId'] === parent ? [] : [`should be in ${parent} but is in ${String(held['parentId'])}`]),
    // Google's ads have no names.
    ...((network === 'google_ads' && asked.kind === 'ad') || String(held['name']).startsWith(`${asked.name} (`)
      ? []
      : [`should be called ${asked.name} but is called ${String(held['name'])}`]),
    ...Object.entries(asked.settings[network] ?? {})
      .filter(([field, value]) => !isDeepStrictEqual(settings[field], value))
      .map(([field, value]) => `should have ${field} ${JSON.stringify(value)}`),
  ];
}
