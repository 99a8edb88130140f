import type { Kysely } from 'kysely';
import type { AdAccounts } from './accounts.ts';
import {
  followAdObjects,
  forgetAdObjects,
  noteAltered,
  noteRenamed,
  noteShown,
  replaceOutsideAdObjects,
} from './ad-object-rows.ts';
import { readHeldAdObjects, readSettingNames } from './ad-object-reads.ts';
import { tagIn } from './campaign-name.ts';
import { type HeldCampaign, compareWithListing } from './compare.ts';
import { type KnownListing, compareAdObjects, objectKeyOf } from './compare-ad-objects.ts';
import type { NetworkEffect } from './effect.ts';
import { createHandover } from './handover.ts';
import type { NetworkCampaign } from './network.ts';
import { readHeldCampaigns } from './reads.ts';
import { endTwin } from './twin-effect.ts';
import { markEndedOutside, recordReconciliation, replaceOutsideCampaigns } from './writes.ts';
import { declareIntents, rearmIntents } from '../../database/intents.ts';
import type { Database } from '../../database/tables.ts';
import { type Clock, dayOf } from '../../runtime/clock.ts';

interface Listed {
  currency: string;
  listedAtMs: number;
  campaigns: readonly NetworkCampaign[];
  /** Of the campaigns with our tag. */
  adObjects: readonly KnownListing[];
}

/** Longer than any network's listing lags behind what it holds. */
const LAG_MS = 600_000;
const TWIN_DEADLINE_MS = 30_000;

/**
 * Lists what a network has for a merchant and compares it with what we hold. Drift is repaired by asking again for what is
 * desired, twins are ended, and what was made outside is listed for the merchant and otherwise left alone. Ad sets and ads
 * that are gone are made again, under campaigns that are not.
 */
export function createReconcileEffect(options: {
  accounts: AdAccounts;
  clock: Clock;
  db: Kysely<Database>;
  lagMs?: number;
}): NetworkEffect {
  const { accounts, clock, db, lagMs = LAG_MS } = options;
  const handover = createHandover<Listed>();
  return {
    async send(network, call, signal) {
      const account = await accounts.of(network, call.merchantId, signal);
      const listedAtMs = clock.now();
      const campaigns = await network.listCampaigns(account, signal);
      const tagged = campaigns.filter(({ name }) => tagIn(name) !== undefined).map(({ externalId }) => externalId);
      const settingNames = await readSettingNames(db, { merchantId: call.merchantId, network: network.id });
      const asked = { campaignIds: tagged, settingNames };
      const adObjects: KnownListing[] = [];
      for (const kind of ['ad_set', 'ad'] as const)
        for (const each of await network.adObjects.list(account, kind, asked, signal))
          adObjects.push({ kind, ...each });
      handover.put(call.idempotencyKey, { currency: account.currency, listedAtMs, campaigns, adObjects });
      return { externalId: 'listing', actual: { campaigns: campaigns.length, adObjects: adObjects.length } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,

    async recordSuccess(trx, network, call, _result, _observed, context) {
      const listed = handover.take(call.idempotencyKey);
      if (listed === undefined) return;
      const { merchantId, destination } = call;
      const lag = { listedAtMs: listed.listedAtMs, lagMs };
      const held: HeldCampaign[] = await readHeldCampaigns(trx, merchantId, network.id);
      const found = compareWithListing(merchantId, held, listed.campaigns, lag);
      await markEndedOutside(trx, merchantId, network.id, found.endedOutside);
      await replaceOutsideCampaigns(
        trx,
        { merchantId, network: network.id, currency: listed.currency },
        found.outside,
        context.now,
      );
      const at = { merchantId, destination, network: network.id };
      const here = inCampaigns(listed.adObjects, held);
      const rows = await readHeldAdObjects(
        trx,
        at,
        held.map(({ campaignId }) => campaignId),
        here.map(({ externalId }) => externalId),
      );
      const heldObjects = rows.map((each) => ({
        ...each,
        settings: network.adObjects.comparable(each.kind, each.settings),
      }));
      const resting = standing(held, listed.campaigns);
      const objects = compareAdObjects(merchantId, heldObjects, here, { ...lag, resting });
      await replaceOutsideAdObjects(trx, at, objects.outside, context.now);
      const compared = { campaigns: held.length, adObjects: heldObjects.length };
      await recordReconciliation(trx, at, compared, { ...found, objects }, context.now);
      const drifted = [...found.drifted, ...objects.drifted.map(objectKeyOf)];
      await rearmIntents(
        trx,
        drifted.map((objectKey) => ({ merchantId, destination, objectKey })),
        context.now,
      );
      await noteRenamed(trx, at, objects.renamed);
      await noteAltered(trx, at, objects.altered);
      await noteShown(trx, at, objects.shown);
      await forgetAdObjects(trx, at, objects.missing, context.now);
      await followAdObjects(trx, { merchantId, campaignIds: objects.toFollow, network: network.id }, context);
      const { eventId, correlationId, traceparent } = call;
      const cause = { eventId, eventType: 'CampaignStateChangeRequestedEvent', handler: 'reconcile', mseq: 0 };
      const origin = { day: dayOf(context.now), correlationId, traceparent, deadlineMs: TWIN_DEADLINE_MS };
      await declareIntents(
        trx,
        [
          ...found.twins.map((externalId) => endTwin(externalId)),
          ...objects.twins.map(({ kind, externalId }) => endTwin(externalId, kind)),
        ].map((twin) => ({ merchantId, destination, ...twin, ...cause, ...origin })),
        context.now,
      );
    },
    recordFailure: () => Promise.resolve(),
  };
}

/** Without what lies under campaigns of somebody else who shares the account. */
function inCampaigns(listing: readonly KnownListing[], held: readonly HeldCampaign[]): KnownListing[] {
  const campaigns = new Set(held.map(({ externalId }) => externalId));
  const sets = listing.filter(({ kind, parentId }) => kind === 'ad_set' && campaigns.has(parentId));
  const setIds = new Set(sets.map(({ externalId }) => externalId));
  return [...sets, ...listing.filter(({ kind, parentId }) => kind === 'ad' && setIds.has(parentId))];
}

/** Campaigns whose ad sets and ads were listed, with nothing under way that would explain a difference. */
function standing(held: readonly HeldCampaign[], listing: readonly NetworkCampaign[]): Set<string> {
  const listed = new Set(listing.filter(({ name }) => tagIn(name) !== undefined).map(({ externalId }) => externalId));
  const stands = ({ status, desiredState, externalId }: HeldCampaign) =>
    status === 'live' && desiredState !== 'ended' && listed.has(externalId ?? '');
  return new Set(held.filter(stands).map(({ campaignId }) => campaignId));
}
