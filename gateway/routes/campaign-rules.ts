import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import { ruleDefinition } from '../../core/contexts/campaigns/rules/judge.ts';
import { deleteRule, listRules, readRuleStates, saveRule } from '../../core/contexts/campaigns/rules/rule-rows.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Campaigns'];
const params = z.object({ ruleId: id(64) });

const definition = ruleDefinition.describe(
  '`roas` is in thousandths, `ctr` in parts per million, `cpa` and `spend` in minor units of the campaign’s currency. The ' +
    'rule trips past `limit` and is armed again at `rearmAt`.',
);
const savedRule = z
  .strictObject({ name: id(200), enabled: z.boolean().default(true), definition })
  .openapi('SavedCampaignRule', {
    example: {
      name: 'Pause what does not pay',
      definition: { metric: 'roas', limit: 1_500, rearmAt: 2_000, days: 7, minSpendMinor: 5_000 },
    },
  });
const rule = z
  .object({
    ruleId: z.string(),
    name: z.string(),
    enabled: z.boolean(),
    definition,
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi('CampaignRule');
const state = z
  .object({
    campaignId: z.string(),
    tripped: z.boolean(),
    value: z
      .int()
      .nullable()
      .openapi({ description: 'The figure at that time; null when there was too little to judge.' }),
    changedAt: z.iso.datetime(),
  })
  .openapi('CampaignRuleState');

const listRulesRoute = createRoute({
  method: 'get',
  path: '/v1/campaign-rules',
  operationId: 'listCampaignRules',
  tags,
  summary: 'List automated rules',
  responses: {
    200: { description: 'By id.', content: json(z.object({ rules: z.array(rule) })) },
    ...problemResponses(...readProblems),
  },
});
const saveRuleRoute = createRoute({
  method: 'put',
  path: '/v1/campaign-rules/{ruleId}',
  operationId: 'saveCampaignRule',
  tags,
  summary: 'Make an automated rule, or change it',
  description: 'Rules are applied every hour to the whole days before; what they do is in the audit log.',
  request: { params, body: requiredBody(savedRule) },
  responses: { 204: { description: 'Saved.' }, ...problemResponses(...writeProblems, 'campaigns.too_many_rules') },
});
const deleteRuleRoute = createRoute({
  method: 'delete',
  path: '/v1/campaign-rules/{ruleId}',
  operationId: 'deleteCampaignRule',
  tags,
  summary: 'Delete an automated rule',
  description: 'Campaigns that it has paused stay paused.',
  request: { params },
  responses: { 204: { description: 'Deleted.' }, ...problemResponses(...readProblems, 'resource.not_found') },
});
const statesRoute = createRoute({
  method: 'get',
  path: '/v1/campaign-rules/{ruleId}/states',
  operationId: 'listCampaignRuleStates',
  tags,
  summary: 'List where campaigns stand with a rule',
  request: { params },
  responses: {
    200: { description: 'The latest change first, at most 500.', content: json(z.object({ states: z.array(state) })) },
    ...problemResponses(...readProblems),
  },
});

export const campaignRuleRoutes = [listRulesRoute, saveRuleRoute, deleteRuleRoute, statesRoute];

export function addCampaignRuleRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db } = dependencies;

  app.openapi(listRulesRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => listRules(trx, merchantId));
    const rules = found.map((each) => ({
      ...each,
      createdAt: each.createdAt.toISOString(),
      updatedAt: each.updatedAt.toISOString(),
    }));
    return c.json({ rules }, 200);
  });

  app.openapi(saveRuleRoute, async (c) => {
    const { ruleId } = c.req.valid('param');
    const wanted = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await saveRule(trx, merchantId, { ruleId, ...wanted }, nowMs);
      return { result: undefined, action: 'campaign_rule.saved', subject: ruleId, after: wanted };
    });
    return c.body(null, 204);
  });

  app.openapi(deleteRuleRoute, async (c) => {
    const { ruleId } = c.req.valid('param');
    await makeChange(dependencies, c, async (trx, merchantId) => {
      if (!(await deleteRule(trx, merchantId, ruleId)))
        throw new LanewayError('resource.not_found', `There is no rule ${ruleId}.`);
      return { result: undefined, action: 'campaign_rule.deleted', subject: ruleId };
    });
    return c.body(null, 204);
  });

  app.openapi(statesRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { ruleId } = c.req.valid('param');
    const found = await asMerchant(db, merchantId, (trx) => readRuleStates(trx, merchantId, ruleId));
    return c.json({ states: found.map((each) => ({ ...each, changedAt: each.changedAt.toISOString() })) }, 200);
  });
}
