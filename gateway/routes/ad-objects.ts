import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { campaignId, originFor } from './campaigns.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import {
  type AdObject,
  type AdObjectChange,
  changeAdObject,
  createAdObject,
  listAdObjects,
} from '../../core/contexts/campaigns/ad-objects.ts';
import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import type { RequestOrigin } from '../../core/contexts/campaigns/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';

const tags = ['Ad sets and ads'];
const MAX_SETTINGS_BYTES = 16_384;

const settings = z
  .partialRecord(z.enum(adNetworkIds), z.record(z.string(), z.unknown()))
  .refine((given) => Object.keys(given).length > 0, { error: 'must name at least one network' })
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= MAX_SETTINGS_BYTES, {
    error: `must not be longer than ${MAX_SETTINGS_BYTES} bytes`,
  })
  .openapi({
    type: 'object',
    description:
      'By network, what it needs beside name, state and place, in its own words: targeting, bids, creatives. It is made on ' +
      'these networks only.',
  });
const fields = { name: id(200), state: z.enum(['active', 'paused']).default('active'), settings };
const newAdSet = z.strictObject(fields).openapi('NewAdSet', {
  example: {
    name: 'Runners in Germany',
    state: 'active',
    settings: {
      meta: {
        targeting: { geo_locations: { countries: ['DE'] } },
        billing_event: 'IMPRESSIONS',
        optimization_goal: 'LINK_CLICKS',
      },
    },
  },
});
const newAd = z.strictObject(fields).openapi('NewAd', {
  example: {
    name: 'Trail shoe, video',
    state: 'active',
    settings: { meta: { creative: { creative_id: '120000000001' } } },
  },
});
const objectChange = z
  .strictObject({ name: id(200).optional(), settings: settings.optional() })
  .refine(({ name, settings: given }) => name !== undefined || given !== undefined, {
    error: 'must change the name or settings',
  })
  .openapi('AdObjectFieldsChange', {
    example: { name: 'Runners in Germany and Austria', settings: { meta: { bid_amount: 250 } } },
    description: 'Of the settings, what is to be otherwise; the rest stays as it is. It stays on its networks.',
  });
const state = z.enum(['active', 'paused', 'ended']);
const stateChange = z.strictObject({ state }).openapi('AdObjectStateChange', { example: { state: 'paused' } });
const network = z.object({
  adNetworkId: z.string(),
  status: z.enum(['pending', 'live', 'failed']),
  actualState: z.string().nullable(),
  externalId: z.string().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
const shown = { name: z.string(), state, networks: z.array(network) };
const ad = z.object({ adId: z.string(), ...shown }).openapi('Ad');
const adSet = z.object({ adSetId: z.string(), ...shown, ads: z.array(ad) }).openapi('AdSet');
const asked = z
  .object({
    operationId: z.string().nullable().openapi({ description: 'Null while the networks do not know the campaign.' }),
  })
  .openapi('AdObjectChange');

const problems = [
  ...writeProblems,
  'campaigns.not_found',
  'campaigns.illegal_transition',
  'resource.not_found',
] as const;
const followed = 'Saved; the networks follow once they have what it belongs to.';
const adSetId = campaignId.extend({ adSetId: id(128) });
const adId = campaignId.extend({ adId: id(128) });
const path = '/v1/campaigns/{campaignId}';

const listRoute = createRoute({
  method: 'get',
  path: `${path}/ad-sets`,
  operationId: 'listAdSets',
  tags,
  summary: 'List ad sets of a campaign with their ads, and where they are on each network',
  request: { params: campaignId },
  responses: {
    200: { description: 'The oldest first.', content: json(z.object({ adSets: z.array(adSet) })) },
    ...problemResponses(...readProblems),
  },
});
const createAdSetRoute = createRoute({
  method: 'post',
  path: `${path}/ad-sets`,
  operationId: 'createAdSet',
  tags,
  summary: 'Add an ad set to a campaign',
  request: { params: campaignId, body: requiredBody(newAdSet) },
  responses: {
    202: { description: followed, content: json(asked.extend({ adSetId: z.string() }).openapi('CreatedAdSet')) },
    ...problemResponses(...problems, 'campaigns.too_many_ads'),
  },
});
const createAdRoute = createRoute({
  method: 'post',
  path: `${path}/ad-sets/{adSetId}/ads`,
  operationId: 'createAd',
  tags,
  summary: 'Add an ad to an ad set',
  request: { params: adSetId, body: requiredBody(newAd) },
  responses: {
    202: { description: followed, content: json(asked.extend({ adId: z.string() }).openapi('CreatedAd')) },
    ...problemResponses(...problems, 'campaigns.too_many_ads'),
  },
});
const changes = 'What a network does not let change, it refuses; the network is then shown as failed, with the reason.';
const editAdSetRoute = createRoute({
  method: 'patch',
  path: `${path}/ad-sets/{adSetId}`,
  operationId: 'changeAdSet',
  tags,
  summary: 'Change an ad set: name, targeting, bids',
  description: changes,
  request: { params: adSetId, body: requiredBody(objectChange) },
  responses: { 202: { description: followed, content: json(asked) }, ...problemResponses(...problems) },
});
const editAdRoute = createRoute({
  method: 'patch',
  path: `${path}/ads/{adId}`,
  operationId: 'changeAd',
  tags,
  summary: 'Change an ad: name, creative',
  description: changes,
  request: { params: adId, body: requiredBody(objectChange) },
  responses: { 202: { description: followed, content: json(asked) }, ...problemResponses(...problems) },
});
const changeAdSetRoute = createRoute({
  method: 'post',
  path: `${path}/ad-sets/{adSetId}/state`,
  operationId: 'changeAdSetState',
  tags,
  summary: 'Activate, pause or end an ad set',
  description: 'Ended is final; the ads of an ad set end with it.',
  request: { params: adSetId, body: requiredBody(stateChange) },
  responses: { 202: { description: followed, content: json(asked) }, ...problemResponses(...problems) },
});
const changeAdRoute = createRoute({
  method: 'post',
  path: `${path}/ads/{adId}/state`,
  operationId: 'changeAdState',
  tags,
  summary: 'Activate, pause or end an ad',
  request: { params: adId, body: requiredBody(stateChange) },
  responses: { 202: { description: followed, content: json(asked) }, ...problemResponses(...problems) },
});

export const adObjectRoutes = [
  ...[listRoute, createAdSetRoute, createAdRoute],
  ...[editAdSetRoute, editAdRoute, changeAdSetRoute, changeAdRoute],
];

export function addAdObjectRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const originOf = originFor(dependencies);
  const change = (
    c: Context<GatewayEnv>,
    action: string,
    after: Record<string, unknown>,
    work: (trx: Parameters<typeof createAdObject>[0], origin: RequestOrigin) => Promise<AdObjectChange>,
  ) =>
    makeChange(dependencies, c, async (trx) => {
      const result = await work(trx, originOf(c));
      return { result, action, subject: result.objectId, after, events: result.events };
    });

  app.openapi(listRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { campaignId: of } = c.req.valid('param');
    const objects = await asMerchant(dependencies.db, merchantId, (trx) => listAdObjects(trx, merchantId, of));
    const ads = Map.groupBy(objects, ({ adSetId: set }) => set);
    const adSets = objects.flatMap((each) =>
      each.kind === 'ad'
        ? []
        : {
            adSetId: each.objectId,
            ...show(each),
            ads: (ads.get(each.objectId) ?? []).map((one) => ({ adId: one.objectId, ...show(one) })),
          },
    );
    return c.json({ adSets }, 200);
  });

  app.openapi(createAdSetRoute, async (c) => {
    const wanted = c.req.valid('json');
    const made = await change(c, 'ad_set.created', wanted, (trx, origin) =>
      createAdObject(trx, origin, { ...c.req.valid('param'), ...wanted }),
    );
    return c.json({ adSetId: made.objectId, operationId: made.operationId ?? null }, 202);
  });

  app.openapi(createAdRoute, async (c) => {
    const wanted = c.req.valid('json');
    const made = await change(c, 'ad.created', wanted, (trx, origin) =>
      createAdObject(trx, origin, { ...c.req.valid('param'), ...wanted }),
    );
    return c.json({ adId: made.objectId, operationId: made.operationId ?? null }, 202);
  });

  app.openapi(editAdSetRoute, async (c) => {
    const wanted = c.req.valid('json');
    const { campaignId: of, adSetId: objectId } = c.req.valid('param');
    const { operationId } = await change(c, 'ad_set.changed', wanted, (trx, origin) =>
      changeAdObject(trx, origin, { campaignId: of, objectId, kind: 'ad_set', ...wanted }),
    );
    return c.json({ operationId: operationId ?? null }, 202);
  });

  app.openapi(editAdRoute, async (c) => {
    const wanted = c.req.valid('json');
    const { campaignId: of, adId: objectId } = c.req.valid('param');
    const { operationId } = await change(c, 'ad.changed', wanted, (trx, origin) =>
      changeAdObject(trx, origin, { campaignId: of, objectId, kind: 'ad', ...wanted }),
    );
    return c.json({ operationId: operationId ?? null }, 202);
  });

  app.openapi(changeAdSetRoute, async (c) => {
    const { state: to } = c.req.valid('json');
    const { campaignId: of, adSetId: objectId } = c.req.valid('param');
    const { operationId } = await change(c, 'ad_set.changed', { state: to }, (trx, origin) =>
      changeAdObject(trx, origin, { campaignId: of, objectId, kind: 'ad_set', state: to }),
    );
    return c.json({ operationId: operationId ?? null }, 202);
  });

  app.openapi(changeAdRoute, async (c) => {
    const { state: to } = c.req.valid('json');
    const { campaignId: of, adId: objectId } = c.req.valid('param');
    const { operationId } = await change(c, 'ad.changed', { state: to }, (trx, origin) =>
      changeAdObject(trx, origin, { campaignId: of, objectId, kind: 'ad', state: to }),
    );
    return c.json({ operationId: operationId ?? null }, 202);
  });
}

const show = ({ name, state: held, networks }: AdObject) => ({
  name,
  state: held,
  networks: networks.map(({ adNetworkId, status, actualState, externalId, errorCode, errorMessage }) => ({
    ...{ adNetworkId, status, actualState, externalId },
    error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' },
  })),
});
