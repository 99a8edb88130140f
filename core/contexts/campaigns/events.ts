import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { laneRetry } from '../../runtime/retry.ts';

export const adNetworkIds = ['google_ads', 'meta', 'tiktok'] as const;
export type AdNetworkId = (typeof adNetworkIds)[number];

/** The states a command can ask the networks for. */
export const requestedStates = ['active', 'paused', 'ended'] as const;

/** Of version 1.0.0. */
const firstCampaignParameters = z.looseObject({
  name: z.string().min(1).max(200),
  /** Minor units of `currency` per day. */
  dailyBudgetMinor: z.int().min(1),
  currency: z.string().regex(/^[A-Z]{3}$/),
  productIds: z.array(id(128)).max(100).optional(),
});

/** What the networks need to know to make the campaign as it should be. */
export const campaignParameters = firstCampaignParameters.extend({
  /** When it is to run. Our own schedule starts and ends it; networks are told the end where they can keep it. */
  startAt: isoTimestamp.optional(),
  endAt: isoTimestamp.optional(),
});

export type CampaignParameters = z.infer<typeof campaignParameters>;

const firstCampaignStateChangeRequestedPayload = z.looseObject({
  campaignId: id(128),
  merchantId,
  requestedState: z.string().toLowerCase().pipe(z.enum(requestedStates)),
  adNetworkIds: z.array(z.enum(adNetworkIds)).min(1).max(10),
  timestamp: isoTimestamp,
  campaignParametersForSync: firstCampaignParameters.optional(),
});

export const campaignStateChangeRequestedPayload = firstCampaignStateChangeRequestedPayload.extend({
  campaignParametersForSync: campaignParameters.optional(),
});

export type CampaignStateChangeRequested = z.infer<typeof campaignStateChangeRequestedPayload>;

export const campaignStateChangeRequestedEvent: EventDefinition = {
  id: 'evt_camp_state_req_001',
  name: 'CampaignStateChangeRequestedEvent',
  type: 'command',
  category: 'Campaign Lifecycle',
  description: 'A campaign is to be created, changed, paused, activated or ended on its ad networks.',
  frequency: 'medium',
  priority: 'high',
  criticality: 'critical',
  routingKey: 'campaign.state.change.requested',
  sourceContext: 'CampaignManagementService',
  targetContexts: ['AdNetworkIntegrationService'],
  versions: [
    { version: '1.0.0', schema: firstCampaignStateChangeRequestedPayload, upcast: (payload) => payload },
    { version: '1.1.0', schema: campaignStateChangeRequestedPayload },
  ],
  aggregate: (payload) => `campaign:${campaignStateChangeRequestedPayload.parse(payload).campaignId}`,
  route: 'fifo',
  queue: 'CampaignEventsQueue',
  deadLetterQueue: 'CampaignEventsDLQ',
  timeoutMs: 60_000,
  retry: laneRetry,
  thresholds: thresholds('high'),
  handlers: [
    {
      name: 'synchronizeCampaignStateWithAdNetworks',
      service: 'AdNetworkIntegrationService',
      holds: 'aggregate',
      onPoison: 'release',
      effect: 'state',
      load: async () =>
        (await import('../ad-networks/synchronize-campaign-state-with-ad-networks.ts'))
          .synchronizeCampaignStateWithAdNetworks,
    },
  ],
  example: {
    campaignId: 'cmp-1001',
    merchantId: 'shop-1',
    requestedState: 'active',
    adNetworkIds: ['meta'],
    timestamp: '2026-11-23T10:15:00.000Z',
    campaignParametersForSync: { name: 'Winter sale', dailyBudgetMinor: 5_000, currency: 'EUR' },
  },
};
