import { z } from '@hono/zod-openapi';
import { nextPage } from '../paging.ts';
import type { NetworkState } from '../../core/contexts/ad-networks/reads.ts';
import { adNetworkIds, campaignParameters, requestedStates } from '../../core/contexts/campaigns/events.ts';
import type { Campaign, Operation } from '../../core/contexts/campaigns/reads.ts';
import { requestableStates } from '../../core/contexts/campaigns/state-machine.ts';
import { id, isoTimestamp } from '../../core/events/envelope.ts';

/** What merchants send and get about campaigns. Fields that travel on in events are the events' own schemas. */

export const newCampaign = z
  .strictObject({
    name: id(200),
    adNetworkIds: z
      .array(z.enum(adNetworkIds))
      .min(1)
      .superRefine((ids, context) => {
        for (const [index, each] of ids.entries())
          if (ids.indexOf(each) < index) context.addIssue({ code: 'custom', path: [index], message: 'appears twice' });
      }),
    dailyBudgetMinor: campaignParameters.shape.dailyBudgetMinor.describe('Minor units of `currency` per day.'),
    currency: campaignParameters.shape.currency.describe('ISO 4217.'),
    productIds: campaignParameters.shape.productIds,
    state: z
      .enum(['draft', ...requestedStates])
      .exclude(['ended'])
      .default('active')
      .describe('A draft asks nothing of the networks.'),
    startAt: isoTimestamp.optional().describe('Until then the campaign is pending.'),
    endAt: isoTimestamp.optional().describe('Then the campaign ends by itself.'),
  })
  .openapi('NewCampaign', {
    example: {
      name: 'Winter sale',
      adNetworkIds: ['meta'],
      dailyBudgetMinor: 5_000,
      currency: 'EUR',
    },
  });

export const stateChange = z
  .strictObject({ state: z.enum(requestableStates) })
  .openapi('CampaignStateChange', { example: { state: 'paused' } });

export const campaignChange = z
  .strictObject({
    name: id(200),
    dailyBudgetMinor: campaignParameters.shape.dailyBudgetMinor.describe('Minor units of `currency` per day.'),
    productIds: campaignParameters.shape.productIds.unwrap(),
    startAt: isoTimestamp.nullable().describe('Null for a campaign that starts when it is activated.'),
    endAt: isoTimestamp.nullable().describe('Null for a campaign without end.'),
  })
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, { error: 'nothing to change' })
  .openapi('CampaignChange', { example: { dailyBudgetMinor: 7_500 } });

export const approval = z
  .strictObject({ approve: z.boolean(), reason: id(500).optional() })
  .openapi('CampaignApproval', { example: { approve: true } });

export const campaignSettings = z
  .strictObject({ approvalRequired: z.boolean().describe('Campaigns then need an owner or a manager to go live.') })
  .openapi('CampaignSettings', { example: { approvalRequired: true } });

const network = z
  .object({
    adNetworkId: z.string(),
    desiredState: z.string(),
    status: z
      .enum(['pending', 'live', 'failed'])
      .openapi({ description: 'pending: not yet there; live: as desired; failed: given up, see `error`.' }),
    actualState: z.string().nullable(),
    externalId: z.string().nullable().openapi({ description: "The network's id of the campaign." }),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    syncedAt: z.iso.datetime().nullable(),
  })
  .openapi('CampaignNetworkState', {
    example: {
      adNetworkId: 'meta',
      desiredState: 'active',
      status: 'live',
      actualState: 'active',
      externalId: '23851234567890',
      error: null,
      syncedAt: '2026-11-23T10:15:02.000Z',
    },
  });

export const campaign = z
  .object({
    campaignId: z.string(),
    name: z.string(),
    state: z.string().openapi({ description: 'What the merchant asked for last.' }),
    adNetworkIds: z.array(z.string()),
    dailyBudgetMinor: z.int(),
    currency: z.string(),
    productIds: z.array(z.string()),
    version: z.int().openapi({ description: 'Counts the changes that were asked for.' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    startAt: z.iso.datetime().nullable(),
    endAt: z.iso.datetime().nullable(),
    requestedState: z
      .string()
      .nullable()
      .openapi({ description: 'While the campaign waits for approval: what was asked for.' }),
    reviewReason: z.string().nullable(),
    networks: z.array(network).openapi({ description: 'An entry for each network that a request has reached.' }),
  })
  .openapi('Campaign');

export const operationReference = z.object({ id: z.string(), href: z.string() }).openapi('OperationReference', {
  example: {
    id: '3d4a1f0e-9f0b-4c5e-8a55-0f4f4c2f8a10',
    href: '/v1/operations/3d4a1f0e-9f0b-4c5e-8a55-0f4f4c2f8a10',
  },
});

export const campaignDraft = z.object({ campaign }).openapi('CampaignDraft');
export const campaignOperation = z.object({ campaign, operation: operationReference }).openapi('CampaignOperation');
export const campaignPage = z.object({ campaigns: z.array(campaign), next: nextPage }).openapi('CampaignPage');

export const operation = z
  .object({
    operationId: z.string(),
    campaignId: z.string(),
    requestedState: z.string(),
    status: z.enum(['pending', 'succeeded', 'failed', 'superseded']).openapi({
      description:
        'succeeded: every network holds the state; failed: one gave it up; superseded: a later request came first.',
    }),
    createdAt: z.iso.datetime(),
    networks: z.array(network),
  })
  .openapi('Operation');

const showNetwork = (state: NetworkState): z.infer<typeof network> => ({
  adNetworkId: state.adNetworkId,
  desiredState: state.desiredState,
  status: state.status,
  actualState: state.actualState,
  externalId: state.externalId,
  error: state.errorCode === null ? null : { code: state.errorCode, message: state.errorMessage ?? '' },
  syncedAt: state.syncedAt?.toISOString() ?? null,
});

export const showCampaign = (row: Campaign): z.infer<typeof campaign> => ({
  campaignId: row.campaignId,
  name: row.name,
  state: row.state,
  adNetworkIds: row.adNetworkIds,
  dailyBudgetMinor: row.dailyBudgetMinor,
  currency: row.currency,
  productIds: row.productIds,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  startAt: row.startAt?.toISOString() ?? null,
  endAt: row.endAt?.toISOString() ?? null,
  requestedState: row.requestedState,
  reviewReason: row.reviewReason,
  networks: row.networks.map(showNetwork),
});

export const showOperation = (row: Operation): z.infer<typeof operation> => ({
  operationId: row.operationId,
  campaignId: row.campaignId,
  requestedState: row.requestedState,
  status: row.status,
  createdAt: row.createdAt.toISOString(),
  networks: row.networks.map(showNetwork),
});
