import { type OpenAPIHono, createRoute } from '@hono/zod-openapi';
import { commitOnce } from '../commit-once.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { problemResponses } from '../problem.ts';
import * as schemas from './campaign-schemas.ts';
import {
  accepted,
  campaignId,
  changed,
  markReply,
  onceHeaders,
  onceOf,
  originFor,
  tags,
  unchangedOutside,
  writeProblems,
} from './campaigns.ts';
import { isApprovalRequired } from '../../core/contexts/campaigns/reads.ts';
import { changeCampaign, decideApproval, requireApproval } from '../../core/contexts/campaigns/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';

/** What a campaign is, who lets it go live, and whether anybody has to. */

const changeRoute = createRoute({
  method: 'patch',
  path: '/v1/campaigns/{campaignId}',
  operationId: 'changeCampaign',
  tags,
  summary: 'Change a campaign: name, budget, products, schedule',
  request: {
    params: campaignId,
    headers: onceHeaders,
    body: { required: true, content: { 'application/json': { schema: schemas.campaignChange } } },
  },
  responses: {
    200: unchangedOutside,
    202: accepted('The campaign; `operation` tells when the networks have followed.'),
    ...problemResponses(
      ...writeProblems,
      'campaigns.not_found',
      'campaigns.illegal_transition',
      'campaigns.approval_required',
      'campaigns.schedule_invalid',
    ),
  },
});

const approvalRoute = createRoute({
  method: 'post',
  path: '/v1/campaigns/{campaignId}/approval',
  operationId: 'decideCampaignApproval',
  tags,
  summary: 'Approve or reject a campaign that waits for it',
  request: {
    params: campaignId,
    headers: onceHeaders,
    body: { required: true, content: { 'application/json': { schema: schemas.approval } } },
  },
  responses: {
    200: unchangedOutside,
    202: accepted('The approved campaign; `operation` tells when the networks hold it.'),
    ...problemResponses(
      ...writeProblems,
      'campaigns.not_found',
      'campaigns.illegal_transition',
      'campaigns.approval_required',
    ),
  },
});

const readSettingsRoute = createRoute({
  method: 'get',
  path: '/v1/campaign-settings',
  operationId: 'readCampaignSettings',
  tags,
  summary: 'Read whether campaigns need approval',
  responses: {
    200: { description: 'The settings.', content: { 'application/json': { schema: schemas.campaignSettings } } },
    ...problemResponses('access.unauthenticated', 'service.unavailable'),
  },
});

const writeSettingsRoute = createRoute({
  method: 'put',
  path: '/v1/campaign-settings',
  operationId: 'writeCampaignSettings',
  tags,
  summary: 'Say whether campaigns need approval',
  request: { body: { required: true, content: { 'application/json': { schema: schemas.campaignSettings } } } },
  responses: {
    200: { description: 'The settings.', content: { 'application/json': { schema: schemas.campaignSettings } } },
    ...problemResponses(
      'request.invalid',
      'access.unauthenticated',
      'campaigns.approval_required',
      'request.too_large',
      'request.media_type',
      'service.unavailable',
    ),
  },
});

export const campaignChangeRoutes = [changeRoute, approvalRoute, readSettingsRoute, writeSettingsRoute];

export function addCampaignChangeRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db } = dependencies;
  const originOf = originFor(dependencies);

  app.openapi(changeRoute, async (c) => {
    const wanted = { ...c.req.valid('json'), ...c.req.valid('param') };
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], wanted);
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const origin = originOf(c);
      return await changed(trx, origin.merchantId, await changeCampaign(trx, origin, wanted), 200);
    });
    markReply(c, location, replayed);
    return 'operation' in body ? c.json(body, 202) : c.json(body, 200);
  });

  app.openapi(approvalRoute, async (c) => {
    const { approve, reason } = c.req.valid('json');
    const decision = { approve, reason, ...c.req.valid('param') };
    const once = onceOf(c, c.req.valid('header')['idempotency-key'], decision);
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const origin = originOf(c);
      return await changed(trx, origin.merchantId, await decideApproval(trx, origin, decision), 200);
    });
    markReply(c, location, replayed);
    return 'operation' in body ? c.json(body, 202) : c.json(body, 200);
  });

  app.openapi(readSettingsRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const approvalRequired = await asMerchant(db, merchantId, (trx) => isApprovalRequired(trx, merchantId));
    return c.json({ approvalRequired }, 200);
  });

  app.openapi(writeSettingsRoute, async (c) => {
    const { approvalRequired } = c.req.valid('json');
    const origin = originOf(c);
    await asMerchant(db, origin.merchantId, (trx) => requireApproval(trx, origin, approvalRequired));
    return c.json({ approvalRequired }, 200);
  });
}
