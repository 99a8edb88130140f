import { z } from 'zod';
import type { DestinationDriver, EffectCall, EffectResult } from '../../events/destination.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dayOf } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { encodeMerchant } from '../../runtime/ids.ts';
import { performanceMetrics } from './events.ts';
import { type AdNetworkHttp, callAdNetwork, notUnderstood } from './http.ts';
import { limitsOfNetwork } from './limits.ts';
import { recordLive, recordNetworkFailure } from './writes.ts';

const desiredCampaign = z.looseObject({
  state: z.enum(['active', 'paused', 'ended']),
  name: z.string(),
  dailyBudgetMinor: z.number(),
  currency: z.string(),
});
const remoteCampaign = z.looseObject({
  id: z.string().min(1).max(256),
  name: z.string(),
  status: z.enum(['ACTIVE', 'PAUSED', 'ENDED']),
  dailyBudgetMinor: z.number(),
  currency: z.string(),
});
const remoteCampaigns = z.looseObject({ campaigns: z.array(remoteCampaign) });

const statusOf = { active: 'ACTIVE', paused: 'PAUSED', ended: 'ENDED' } as const;
const stateOf = { ACTIVE: 'active', PAUSED: 'paused', ENDED: 'ended' } as const;

/** `ad-network:meta` → `meta` */
const networkOf = (destination: string): string => destination.slice(destination.indexOf(':') + 1);

/** Finds a campaign of ours on a network that knows no idempotency keys and lets campaigns share a name. */
export const campaignTag = (merchantId: string, campaignId: string): string => `${merchantId}/${campaignId}`;

const resultOf = (campaign: z.infer<typeof remoteCampaign>): EffectResult => ({
  externalId: campaign.id,
  actual: {
    state: stateOf[campaign.status],
    name: campaign.name,
    dailyBudgetMinor: campaign.dailyBudgetMinor,
    currency: campaign.currency,
  },
});

/** Campaigns on the ad networks, one object per campaign, pushed to the state that is desired. */
export function createAdNetworkDriver(options: AdNetworkHttp & { clock: Clock }): DestinationDriver {
  const campaigns = (call: EffectCall): string =>
    `/${networkOf(call.destination)}/v1/accounts/${encodeURIComponent(`m-${encodeMerchant(call.merchantId)}`)}/campaigns`;

  return {
    limits: (destination) => limitsOfNetwork(networkOf(destination)),

    async send(call, signal) {
      const desired = desiredOf(call);
      const fields = {
        status: statusOf[desired.state],
        name: desired.name,
        dailyBudgetMinor: desired.dailyBudgetMinor,
      };
      const { externalId, idempotencyKey } = call;
      if (externalId === undefined) {
        const tag = campaignTag(call.merchantId, call.objectKey);
        const body = { ...fields, currency: desired.currency, tag };
        const answer = await callAdNetwork(options, 'POST', campaigns(call), signal, { idempotencyKey, body });
        return resultOf(parseAnswer(remoteCampaign, answer, 'POST'));
      }
      const path = `${campaigns(call)}/${encodeURIComponent(externalId)}`;
      const answer = await callAdNetwork(options, 'PATCH', path, signal, { idempotencyKey, body: fields });
      const held = parseAnswer(remoteCampaign, answer, 'PATCH');
      if (held.currency !== desired.currency)
        throw new LanewayError(
          'effect.rejected',
          `the ad network holds this campaign in ${held.currency} and cannot change it to ${desired.currency}`,
        );
      return resultOf(held);
    },

    async probe(call, signal) {
      const tag = encodeURIComponent(campaignTag(call.merchantId, call.objectKey));
      const answer = await callAdNetwork(options, 'GET', `${campaigns(call)}?tag=${tag}`, signal);
      const found = parseAnswer(remoteCampaigns, answer, 'GET').campaigns;
      // Of twins, which only a network without idempotency keys can hold, the one that is already ours goes on.
      const ours = found.find(({ id }) => id === call.externalId) ?? found[0];
      return ours === undefined ? undefined : resultOf(ours);
    },

    satisfies: (call, { actual }) => {
      const desired = desiredOf(call);
      return (['state', 'name', 'dailyBudgetMinor', 'currency'] as const).every((key) => actual[key] === desired[key]);
    },

    async observe(call, { externalId }, signal) {
      const date = dayOf(options.clock.now());
      const path = `${campaigns(call)}/${encodeURIComponent(externalId)}/metrics?date=${date}`;
      try {
        const metrics = performanceMetrics.parse(await callAdNetwork(options, 'GET', path, signal));
        return { reportDate: date, metrics };
      } catch {
        // Figures that cannot be read now are fetched later; the campaign is as desired all the same.
        return undefined;
      }
    },

    async recordSuccess(trx, call, result, observed, context) {
      await recordLive(trx, call, networkOf(call.destination), result, context.now);
      if (observed === undefined) return;
      context.emit({
        eventType: 'AdPerformanceDataIngestedEvent',
        payload: {
          adNetworkId: networkOf(call.destination),
          reportDate: observed['reportDate'],
          campaignId: call.objectKey,
          metricsPayload: observed['metrics'],
          timestamp: new Date(context.now).toISOString(),
        },
      });
    },

    recordFailure: (trx, call, error, context) =>
      recordNetworkFailure(trx, call, networkOf(call.destination), error, context.now),
  };
}

/** Nobody but a handler of ours writes intents, so one that cannot be read will not become readable. */
function desiredOf(call: EffectCall): z.infer<typeof desiredCampaign> {
  const parsed = desiredCampaign.safeParse(call.desired);
  if (parsed.success) return parsed.data;
  throw new LanewayError('effect.rejected', 'the intent does not say what the campaign should be', {
    cause: parsed.error,
  });
}

function parseAnswer<T>(schema: z.ZodType<T>, answer: unknown, method: string): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw notUnderstood(method, parsed.error);
}
