import { z } from 'zod';
import type { DestinationDriver, EffectCall, EffectResult } from '../../events/destination.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dayOf } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { encodeMerchant } from '../../runtime/ids.ts';
import { type AdNetworkHttp, callAdNetwork } from './http.ts';
import { performanceMetrics } from './events.ts';
import { recordLive, recordNetworkFailure } from './writes.ts';

const desiredCampaign = z.looseObject({
  state: z.enum(['active', 'paused', 'ended']),
  name: z.string(),
  dailyBudgetMinor: z.number(),
  currency: z.string(),
});
const remoteCampaign = z.looseObject({
  id: z.string().min(1),
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

/** What finds a campaign of ours on a network that knows no idempotency keys and allows equal names. */
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
    async send(call, signal) {
      const desired = desiredCampaign.parse(call.desired);
      const fields = {
        status: statusOf[desired.state],
        name: desired.name,
        dailyBudgetMinor: desired.dailyBudgetMinor,
      };
      const answer =
        call.externalId === undefined
          ? await callAdNetwork(options, 'POST', campaigns(call), signal, {
              ...fields,
              currency: desired.currency,
              tag: campaignTag(call.merchantId, call.objectKey),
            })
          : await callAdNetwork(
              options,
              'PATCH',
              `${campaigns(call)}/${encodeURIComponent(call.externalId)}`,
              signal,
              fields,
            );
      return resultOf(parseAnswer(remoteCampaign, answer));
    },

    async probe(call, signal) {
      const tag = encodeURIComponent(campaignTag(call.merchantId, call.objectKey));
      const answer = await callAdNetwork(options, 'GET', `${campaigns(call)}?tag=${tag}`, signal);
      const [first] = parseAnswer(remoteCampaigns, answer).campaigns;
      return first === undefined ? undefined : resultOf(first);
    },

    satisfies: (call, { actual }) => {
      const desired = desiredCampaign.parse(call.desired);
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

/** An answer that is not what the network documents leaves open what it did. */
function parseAnswer<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new LanewayError('effect.outcome_unknown', 'the ad network answered something that it does not document', {
    retry: 'backoff',
    cause: parsed.error,
  });
}
