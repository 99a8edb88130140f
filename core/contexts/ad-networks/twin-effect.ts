import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import type { NetworkEffect } from './effect.ts';

const desiredTwin = z.looseObject({ externalId: z.string() });

/** The intent that ends a twin: a campaign that carries our tag and is not the one we go on with. */
export const endTwin = (externalId: string) => ({
  objectKey: `twin/${externalId}`,
  desired: { kind: 'twin', externalId },
});

/** Ends a campaign by its id at the network. Ending it again changes nothing. */
export function createTwinEffect({ accounts }: { accounts: AdAccounts }): NetworkEffect {
  return {
    async send(network, call, signal) {
      const { externalId } = desiredTwin.parse(call.desired);
      const account = await accounts.of(network, call.merchantId, signal);
      await network.changeCampaign(account, externalId, { state: 'ended' }, signal);
      return { externalId, actual: { state: 'ended' } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,
    recordSuccess: () => Promise.resolve(),
    recordFailure: () => Promise.resolve(),
  };
}
