import type { AdAccounts } from './accounts.ts';
import { type HeldCampaign, compareWithListing } from './compare.ts';
import type { NetworkEffect } from './effect.ts';
import { createHandover } from './handover.ts';
import type { NetworkCampaign } from './network.ts';
import { readHeldCampaigns } from './reads.ts';
import { endTwin } from './twin-effect.ts';
import { markEndedOutside, recordReconciliation, replaceOutsideCampaigns } from './writes.ts';
import { declareIntents, rearmIntents } from '../../database/intents.ts';
import { type Clock, dayOf } from '../../runtime/clock.ts';

interface Listed {
  currency: string;
  listedAtMs: number;
  campaigns: readonly NetworkCampaign[];
}

/** Longer than any network's listing lags behind what it holds. */
const LAG_MS = 600_000;
const TWIN_DEADLINE_MS = 30_000;

/**
 * Lists what a network has for a merchant and compares it with what we hold. Drift is repaired by asking again for what is
 * desired, twins are ended, and campaigns that were made outside are listed for the merchant and otherwise left alone.
 */
export function createReconcileEffect(options: { accounts: AdAccounts; clock: Clock; lagMs?: number }): NetworkEffect {
  const { accounts, clock, lagMs = LAG_MS } = options;
  const handover = createHandover<Listed>();
  return {
    async send(network, call, signal) {
      const account = await accounts.of(network, call.merchantId, signal);
      const listedAtMs = clock.now();
      const campaigns = await network.listCampaigns(account, signal);
      handover.put(call.idempotencyKey, { currency: account.currency, listedAtMs, campaigns });
      return { externalId: 'listing', actual: { campaigns: campaigns.length } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,

    async recordSuccess(trx, network, call, _result, _observed, context) {
      const listed = handover.take(call.idempotencyKey);
      if (listed === undefined) return;
      const { merchantId, destination } = call;
      const held: HeldCampaign[] = await readHeldCampaigns(trx, merchantId, network.id);
      const found = compareWithListing(merchantId, held, listed.campaigns, { listedAtMs: listed.listedAtMs, lagMs });
      await markEndedOutside(trx, merchantId, network.id, found.endedOutside);
      await replaceOutsideCampaigns(
        trx,
        { merchantId, network: network.id, currency: listed.currency },
        found.outside,
        context.now,
      );
      await recordReconciliation(trx, { merchantId, network: network.id }, held.length, found, context.now);
      const drifted = found.drifted.map((objectKey) => ({ merchantId, destination, objectKey }));
      await rearmIntents(trx, drifted, context.now);
      const { eventId, correlationId, traceparent } = call;
      const cause = { eventId, eventType: 'CampaignStateChangeRequestedEvent', handler: 'reconcile', mseq: 0 };
      const origin = { day: dayOf(context.now), correlationId, traceparent, deadlineMs: TWIN_DEADLINE_MS };
      await declareIntents(
        trx,
        found.twins.map((externalId) => ({ merchantId, destination, ...endTwin(externalId), ...cause, ...origin })),
        context.now,
      );
    },
    recordFailure: () => Promise.resolve(),
  };
}
