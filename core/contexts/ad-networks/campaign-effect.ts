import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import { followAdObjects } from './ad-object-rows.ts';
import { campaignTag, taggedName } from './campaign-name.ts';
import type { NetworkEffect } from './effect.ts';
import type { AdAccount, AdNetwork, CampaignFields, NetworkCampaign } from './network.ts';
import { todayIn } from './report-days.ts';
import { recordLive, recordNetworkFailure } from './writes.ts';
import { tellOwner } from '../notifications/events.ts';
import { tellApps } from '../webhooks/events.ts';
import type { EffectCall, EffectContext } from '../../events/destination.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';

const desiredCampaign = z.looseObject({
  state: z.enum(['active', 'paused', 'ended']),
  name: z.string(),
  dailyBudgetMinor: z.number(),
  currency: z.string(),
  endAt: z.string().optional(),
});
type DesiredCampaign = z.infer<typeof desiredCampaign>;

/** Pushes a campaign to the state that is desired, or looks it up by its tag. */
export function createCampaignEffect({ accounts, clock }: { accounts: AdAccounts; clock: Clock }): NetworkEffect {
  return {
    async send(network, call, signal) {
      const desired = desiredOf(call);
      const account = await accounts.of(network, call.merchantId, signal);
      if (account.currency !== desired.currency)
        throw new LanewayError(
          'effect.rejected',
          `the ad account is kept in ${account.currency}, so a campaign in ${desired.currency} cannot be on it`,
        );
      const fields = fieldsOf(call, desired);
      const externalId = await push(network, account, call, fields, signal);
      return { externalId, actual: { ...fields, currency: account.currency } };
    },

    async probe(network, call, signal) {
      const account = await accounts.of(network, call.merchantId, signal);
      const tag = campaignTag(call.merchantId, call.objectKey);
      const found = await network.findCampaigns(account, tag, signal);
      const ours = chooseOfTwins(found, call.externalId);
      if (ours === undefined) return undefined;
      const { externalId, ...actual } = ours;
      return { externalId, actual: { ...actual, currency: account.currency } };
    },

    satisfies(call, { actual }) {
      const desired = desiredOf(call);
      // What has ended cannot be changed any more.
      if (desired.state === 'ended') return actual['state'] === 'ended';
      const wanted = { ...fieldsOf(call, desired), currency: desired.currency };
      return (['state', 'name', 'dailyBudgetMinor', 'currency'] as const).every((key) => actual[key] === wanted[key]);
    },

    async observe(network, call, { externalId }, signal) {
      try {
        const account = await accounts.of(network, call.merchantId, signal);
        const date = todayIn(account.timeZone, clock.now());
        const rows = await network.report(account, { from: date, to: date }, signal);
        const row = rows.find((each) => each.externalId === externalId);
        if (row === undefined) return undefined;
        const { impressions, clicks, conversions, spendMicros } = row;
        const metrics = { impressions, clicks, conversions, spendMicros, currency: account.currency };
        return { reportDate: date, metrics };
      } catch {
        // Figures that cannot be read now are fetched later; the campaign is as desired all the same.
        return undefined;
      }
    },

    async recordSuccess(trx, network, call, result, observed, context) {
      const live = await recordLive(trx, call, network.id, result, context.now);
      if (result.actual['state'] !== 'ended') {
        const { merchantId, objectKey: campaignId } = call;
        await followAdObjects(trx, { merchantId, campaignIds: [campaignId], network: network.id }, context);
      }
      if (live !== undefined) tellState(call, network.id, live.stateBefore, String(result.actual['state']), context);
      if (observed === undefined) return;
      context.emit({
        eventType: 'AdPerformanceDataIngestedEvent',
        payload: {
          adNetworkId: network.id,
          reportDate: observed['reportDate'],
          campaignId: call.objectKey,
          metricsPayload: observed['metrics'],
          timestamp: new Date(context.now).toISOString(),
        },
      });
    },

    async recordFailure(trx, network, call, error, context) {
      const campaignName = await recordNetworkFailure(trx, call, network.id, error, context.now);
      if (campaignName === undefined) return;
      const at = new Date(context.now).toISOString();
      const about = { campaignId: call.objectKey, adNetworkId: network.id, code: error.code };
      context.emit(tellApps('campaign.failed', about, at));
      const filling = { campaignName, network: network.id, reason: error.message };
      context.emit(tellOwner('campaign-failed', `${call.objectKey}:${network.id}:${call.version}`, filling, at));
    },
  };
}

const happened: Readonly<Record<string, string>> = {
  active: 'campaign.activated',
  paused: 'campaign.paused',
  ended: 'campaign.ended',
};

/** A campaign whose state is as before had something else changed: its name, its budget. */
function tellState(
  { objectKey }: EffectCall,
  adNetworkId: string,
  before: string | null,
  state: string,
  context: EffectContext,
): void {
  const webhookType = before === state ? 'campaign.changed' : (happened[state] ?? 'campaign.changed');
  context.emit(tellApps(webhookType, { campaignId: objectKey, adNetworkId }, new Date(context.now).toISOString()));
}

async function push(
  network: AdNetwork,
  account: AdAccount,
  call: EffectCall,
  fields: CampaignFields,
  signal: AbortSignal,
): Promise<string> {
  if (call.externalId !== undefined) {
    await network.changeCampaign(account, call.externalId, fields, signal);
    return call.externalId;
  }
  const made = await network.createCampaign(account, fields, call.idempotencyKey, signal);
  // No network takes a new campaign that has ended.
  if (fields.state === 'ended') await network.changeCampaign(account, made, { state: 'ended' }, signal);
  return made;
}

/**
 * Of twins, which only a network without idempotency keys can hold, the one that is already ours goes on, else the oldest
 * that still can: ids grow. The reconciler ends the others.
 */
export function chooseOfTwins<T extends Pick<NetworkCampaign, 'externalId' | 'state'>>(
  found: readonly T[],
  externalId: string | undefined,
): T | undefined {
  const oldestFirst = found.toSorted(
    (a, b) => a.externalId.length - b.externalId.length || (a.externalId < b.externalId ? -1 : 1),
  );
  return (
    oldestFirst.find((each) => each.externalId === externalId) ??
    oldestFirst.find(({ state }) => state !== 'ended') ??
    oldestFirst[0]
  );
}

const fieldsOf = (call: EffectCall, { state, name, dailyBudgetMinor, endAt }: DesiredCampaign): CampaignFields => ({
  state,
  name: taggedName(name, campaignTag(call.merchantId, call.objectKey)),
  dailyBudgetMinor,
  endAt,
});

/** Nobody but a handler of ours writes intents, so one that cannot be read will not become readable. */
function desiredOf(call: EffectCall): DesiredCampaign {
  const parsed = desiredCampaign.safeParse(call.desired);
  if (parsed.success) return parsed.data;
  throw new LanewayError('effect.rejected', 'the intent does not say what the campaign should be', {
    cause: parsed.error,
  });
}
