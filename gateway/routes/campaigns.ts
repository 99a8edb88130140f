import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Transaction } from 'kysely';
import { type Change, type Once, commitOnce } from '../commit-once.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { actorOf } from '../actor.ts';
import { pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import * as schemas from './campaign-schemas.ts';
import type { Principal } from '../../core/contexts/access/reads.ts';
import { getCampaign, getOperation, listCampaigns } from '../../core/contexts/campaigns/reads.ts';
import {
  type CampaignChange,
  type RequestOrigin,
  createCampaign,
  requestCampaignState,
} from '../../core/contexts/campaigns/writes.ts';
import type { Database } from '../../core/database/tables.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

export const tags = ['Campaigns'];
export const campaignId = z.object({ campaignId: id(128) });

export const onceHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x20-\x7e]{1,255}$/, { error: 'must be 1 to 255 printable ASCII characters' })
    .optional()
    .describe('A new random value for each change; asking again with it changes nothing.'),
});

const replayed = z.object({
  'idempotency-replayed': z.literal('true').optional().describe('This is the answer to an earlier request.'),
  location: z.string(),
});

export const accepted = (description: string) => ({
  description,
  headers: replayed,
  content: { 'application/json': { schema: schemas.campaignOperation } },
});

export const unchangedOutside = {
  description:
    'The campaign; the networks are asked for nothing now: it waits for approval or its start, or is out of sight.',
  headers: replayed,
  content: { 'application/json': { schema: schemas.campaignDraft } },
};

export const writeProblems = [
  'request.invalid',
  'access.unauthenticated',
  'request.conflict',
  'request.too_large',
  'request.media_type',
  'request.key_reused',
  'service.unavailable',
] as const;

const createCampaignRoute = createRoute({
  method: 'post',
  path: '/v1/campaigns',
  operationId: 'createCampaign',
  tags,
  summary: 'Create a campaign',
  request: {
    headers: onceHeaders,
    body: { required: true, content: { 'application/json': { schema: schemas.newCampaign } } },
  },
  responses: {
    201: {
      description: 'The draft, or a campaign that waits for approval or its start.',
      headers: replayed,
      content: { 'application/json': { schema: schemas.campaignDraft } },
    },
    202: accepted('The campaign; `operation` tells when the networks hold it.'),
    ...problemResponses(...writeProblems, 'campaigns.schedule_invalid'),
  },
});

const listCampaignsRoute = createRoute({
  method: 'get',
  path: '/v1/campaigns',
  operationId: 'listCampaigns',
  tags,
  summary: 'List campaigns',
  request: { query: pageQuery },
  responses: {
    200: {
      description: 'A page of campaigns, by id.',
      content: { 'application/json': { schema: schemas.campaignPage } },
    },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'service.unavailable'),
  },
});

const readCampaignRoute = createRoute({
  method: 'get',
  path: '/v1/campaigns/{campaignId}',
  operationId: 'readCampaign',
  tags,
  summary: 'Read a campaign with its state on each network',
  request: { params: campaignId },
  responses: {
    200: { description: 'The campaign.', content: { 'application/json': { schema: schemas.campaign } } },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'campaigns.not_found', 'service.unavailable'),
  },
});

const changeStateRoute = createRoute({
  method: 'post',
  path: '/v1/campaigns/{campaignId}/state',
  operationId: 'changeCampaignState',
  tags,
  summary: "Change a campaign's state",
  request: {
    params: campaignId,
    headers: onceHeaders,
    body: { required: true, content: { 'application/json': { schema: schemas.stateChange } } },
  },
  responses: {
    200: unchangedOutside,
    202: accepted('The campaign; `operation` tells when the networks have followed.'),
    ...problemResponses(...writeProblems, 'campaigns.not_found', 'campaigns.illegal_transition'),
  },
});

const readOperationRoute = createRoute({
  method: 'get',
  path: '/v1/operations/{operationId}',
  operationId: 'readOperation',
  tags,
  summary: 'Follow an operation',
  request: { params: z.object({ operationId: id(128) }) },
  responses: {
    200: { description: 'How far it is.', content: { 'application/json': { schema: schemas.operation } } },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'resource.not_found', 'service.unavailable'),
  },
});

export const campaignRoutes = [
  createCampaignRoute,
  listCampaignsRoute,
  readCampaignRoute,
  changeStateRoute,
  readOperationRoute,
];

export function addCampaignRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db } = dependencies;

  const originOf = originFor(dependencies);

  app.openapi(createCampaignRoute, async (c) => {
    const wanted = c.req.valid('json');
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], wanted);
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const origin = originOf(c);
      const change = await createCampaign(trx, origin, { ...wanted, productIds: wanted.productIds ?? [] });
      return await changed(trx, origin.merchantId, change, 201);
    });
    markReply(c, location, replayed);
    return 'operation' in body ? c.json(body, 202) : c.json(body, 201);
  });

  app.openapi(changeStateRoute, async (c) => {
    const { state } = c.req.valid('json');
    const { campaignId } = c.req.valid('param');
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], { state });
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const origin = originOf(c);
      return await changed(trx, origin.merchantId, await requestCampaignState(trx, origin, { campaignId, state }), 200);
    });
    markReply(c, location, replayed);
    return 'operation' in body ? c.json(body, 202) : c.json(body, 200);
  });

  app.openapi(listCampaignsRoute, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, (trx) =>
      listCampaigns(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) }),
    );
    return c.json({ campaigns: page.items.map(schemas.showCampaign), next: page.next ?? null }, 200);
  });

  app.openapi(readCampaignRoute, async (c) => {
    const { campaignId } = c.req.valid('param');
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => getCampaign(trx, merchantId, campaignId));
    if (found === undefined) throw new LanewayError('campaigns.not_found', `You have no campaign ${campaignId}.`);
    return c.json(schemas.showCampaign(found), 200);
  });

  app.openapi(readOperationRoute, async (c) => {
    const { operationId } = c.req.valid('param');
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => getOperation(trx, merchantId, operationId));
    if (found === undefined) throw new LanewayError('resource.not_found', `You have no operation ${operationId}.`);
    return c.json(schemas.showOperation(found), 200);
  });
}

export const originFor =
  ({ registry, clock }: GatewayDependencies) =>
  (c: Context<GatewayEnv>): RequestOrigin => ({
    registry,
    merchantId: c.get('merchantId'),
    correlationId: c.get('correlationId'),
    traceparent: c.get('traceparent'),
    nowMs: clock.now(),
    ...(c.get('principal').userId === null ? {} : { userId: c.get('principal').userId ?? '' }),
    mayApprove: mayApprove(c.get('principal')),
  });

/** Owners and managers, and a key without any limit, which is the merchant's own. */
const mayApprove = ({ role, scopes }: Principal): boolean =>
  role === null ? scopes === null : role === 'owner' || role === 'manager';

export const onceOf = (c: Context<GatewayEnv>, key: string | undefined, body: unknown): Once => ({
  merchantId: c.get('merchantId'),
  key,
  request: [c.req.method, c.req.path, body],
  by: { actor: actorOf(c.get('principal')), correlationId: c.get('correlationId') },
  deadline: c.get('deadline'),
});

type CampaignReply = z.infer<typeof schemas.campaignDraft> | z.infer<typeof schemas.campaignOperation>;

/** `otherwise`: the status of a change that asks nothing of the networks. */
export async function changed(
  trx: Transaction<Database>,
  merchantId: string,
  { campaignId, operationId, events }: CampaignChange,
  otherwise: 200 | 201,
): Promise<Change<CampaignReply>> {
  const row = await getCampaign(trx, merchantId, campaignId);
  if (row === undefined) throw new Error(`campaign ${campaignId} is not visible to the transaction that wrote it`);
  const campaign = schemas.showCampaign(row);
  const location = `/v1/campaigns/${encodeURIComponent(campaignId)}`;
  if (operationId === undefined) return { reply: { status: otherwise, location, body: { campaign } }, events };
  const operation = { id: operationId, href: `/v1/operations/${operationId}` };
  return { reply: { status: 202, location, body: { campaign, operation } }, events };
}

export function markReply(c: Context<GatewayEnv>, location: string, replayed: boolean): void {
  c.header('location', location);
  if (replayed) c.header('idempotency-replayed', 'true');
}
