import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { nextPage, pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { listOutsideAdObjects } from '../../core/contexts/ad-networks/ad-object-reads.ts';
import { listOutsideCampaigns } from '../../core/contexts/ad-networks/reads.ts';
import { connectAdAccount } from '../../core/contexts/ad-networks/writes.ts';
import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import { asMerchant } from '../../core/database/transaction.ts';

const tags = ['Ad networks'];
const network = z.object({ adNetworkId: z.enum(adNetworkIds) });

const adAccount = z
  .strictObject({
    accountId: z
      .string()
      .regex(/^\d{1,32}$/, { error: 'must be digits' })
      .describe("The network's id of the account, digits alone: without `act_` and without dashes."),
  })
  .openapi('AdAccount', { example: { accountId: '1234567890' } });

const outsideCampaign = z
  .object({
    externalId: z.string(),
    name: z.string(),
    state: z.string(),
    dailyBudgetMinor: z.int().nullable(),
    currency: z.string(),
    firstSeenAt: z.iso.datetime(),
  })
  .openapi('OutsideCampaign');
const outsideCampaignPage = z
  .object({ campaigns: z.array(outsideCampaign), next: nextPage })
  .openapi('OutsideCampaignPage');

const outsideAdObject = z
  .object({
    kind: z.enum(['ad_set', 'ad']),
    externalId: z.string(),
    parentExternalId: z.string().openapi({ description: 'Of the campaign or the ad set that it belongs to.' }),
    name: z.string().nullable().openapi({ description: 'Null for ads of networks that do not name them.' }),
    state: z.enum(['active', 'paused']),
    firstSeenAt: z.iso.datetime(),
  })
  .openapi('OutsideAdObject');
const outsideAdObjectPage = z.object({ ads: z.array(outsideAdObject), next: nextPage }).openapi('OutsideAdObjectPage');

const connectAccount = createRoute({
  method: 'put',
  path: '/v1/ad-networks/{adNetworkId}/account',
  operationId: 'connectAdAccount',
  tags,
  summary: 'Connect your account at an ad network',
  request: { params: network, body: { required: true, content: { 'application/json': { schema: adAccount } } } },
  responses: {
    200: { description: 'The account.', content: { 'application/json': { schema: adAccount } } },
    ...problemResponses(
      'request.invalid',
      'access.unauthenticated',
      'request.too_large',
      'request.media_type',
      'service.unavailable',
    ),
  },
});

const listOutside = createRoute({
  method: 'get',
  path: '/v1/ad-networks/{adNetworkId}/outside-campaigns',
  operationId: 'listOutsideCampaigns',
  tags,
  summary: 'List campaigns at an ad network that were not made here',
  request: { params: network, query: pageQuery },
  responses: {
    200: {
      description: "A page of campaigns, by the network's id, as the last comparison found them.",
      content: { 'application/json': { schema: outsideCampaignPage } },
    },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'service.unavailable'),
  },
});

const listOutsideAds = createRoute({
  method: 'get',
  path: '/v1/ad-networks/{adNetworkId}/outside-ads',
  operationId: 'listOutsideAds',
  tags,
  summary: 'List ad sets and ads in your campaigns at an ad network that were not made here',
  request: { params: network, query: pageQuery },
  responses: {
    200: {
      description: "A page of ads, then of ad sets, by the network's id, as the last comparison found them.",
      content: { 'application/json': { schema: outsideAdObjectPage } },
    },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'service.unavailable'),
  },
});

export const adNetworkRoutes = [connectAccount, listOutside, listOutsideAds];

export function addAdNetworkRoutes(app: OpenAPIHono<GatewayEnv>, { db, clock }: GatewayDependencies): void {
  app.openapi(connectAccount, async (c) => {
    const { accountId } = c.req.valid('json');
    const merchantId = c.get('merchantId');
    const account = { merchantId, network: c.req.valid('param').adNetworkId, accountId };
    await asMerchant(db, merchantId, (trx) => connectAdAccount(trx, account, clock.now()));
    return c.json({ accountId }, 200);
  });

  app.openapi(listOutside, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, (trx) =>
      listOutsideCampaigns(trx, merchantId, c.req.valid('param').adNetworkId, {
        limit,
        ...(after === undefined ? {} : { after }),
      }),
    );
    const campaigns = page.items.map((each) => ({ ...each, firstSeenAt: each.firstSeenAt.toISOString() }));
    return c.json({ campaigns, next: page.next ?? null }, 200);
  });

  app.openapi(listOutsideAds, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, (trx) =>
      listOutsideAdObjects(trx, merchantId, c.req.valid('param').adNetworkId, {
        limit,
        ...(after === undefined ? {} : { after }),
      }),
    );
    const ads = page.items.map((each) => ({ ...each, firstSeenAt: each.firstSeenAt.toISOString() }));
    return c.json({ ads, next: page.next ?? null }, 200);
  });
}
