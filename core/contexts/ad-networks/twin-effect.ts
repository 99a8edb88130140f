import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import type { AdObjectKind } from './ad-object-network.ts';
import type { NetworkEffect } from './effect.ts';

/** `of`: undefined for a campaign. */
const desiredTwin = z.looseObject({ externalId: z.string(), of: z.enum(['ad_set', 'ad']).optional() });

/** The intent that ends a twin: a campaign, ad set or ad that carries our tag and is not the one we go on with. */
export const endTwin = (externalId: string, of?: AdObjectKind) => ({
  objectKey: of === undefined ? `twin/${externalId}` : `twin/${of}/${externalId}`,
  desired: { kind: 'twin', externalId, ...(of === undefined ? {} : { of }) },
});

/** Ends it by its id at the network. Ending it again changes nothing. */
export function createTwinEffect({ accounts }: { accounts: AdAccounts }): NetworkEffect {
  return {
    async send(network, call, signal) {
      const { externalId, of } = desiredTwin.parse(call.desired);
      const account = await accounts.of(network, call.merchantId, signal);
      if (of === undefined) await network.changeCampaign(account, externalId, { state: 'ended' }, signal);
      else await network.adObjects.changeState(account, of, externalId, 'ended', signal);
      return { externalId, actual: { state: 'ended' } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,
    recordSuccess: () => Promise.resolve(),
    recordFailure: () => Promise.resolve(),
  };
}
