import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Transaction } from 'kysely';
import { commitOnce } from '../commit-once.ts';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import * as schemas from './feed-schemas.ts';
import {
  type Feed,
  changeFeedState,
  createFeed,
  listFeedItems,
  readFeeds,
  requestRun,
} from '../../core/contexts/catalog/feeds/feed-rows.ts';
import type { Database } from '../../core/database/tables.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Product feeds'];
const feedId = z.object({ feedId: id(128) });
const json = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } });

const idempotencyKey = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x20-\x7e]{1,255}$/, { error: 'must be 1 to 255 printable ASCII characters' })
    .optional()
    .describe('A new random value for each change; asking again with it changes nothing.'),
});

const writeProblems = [
  'request.invalid',
  'access.unauthenticated',
  'request.conflict',
  'request.too_large',
  'request.media_type',
  'request.key_reused',
  'service.unavailable',
] as const;

const createFeedRoute = createRoute({
  method: 'post',
  path: '/v1/feeds',
  operationId: 'createFeed',
  tags,
  summary: 'Submit the catalog to a network',
  request: { headers: idempotencyKey, body: { required: true, ...json(schemas.newFeed) } },
  responses: {
    201: {
      description: 'The feed; its first run begins within a minute.',
      headers: z.object({ location: z.string(), 'idempotency-replayed': z.literal('true').optional() }),
      ...json(schemas.feed),
    },
    ...problemResponses(...writeProblems),
  },
});

const listFeedsRoute = createRoute({
  method: 'get',
  path: '/v1/feeds',
  operationId: 'listFeeds',
  tags,
  summary: 'List feeds',
  responses: {
    200: { description: 'All feeds, by id; at most 100.', ...json(schemas.feeds) },
    ...problemResponses('access.unauthenticated', 'service.unavailable'),
  },
});

const readFeedRoute = createRoute({
  method: 'get',
  path: '/v1/feeds/{feedId}',
  operationId: 'readFeed',
  tags,
  summary: 'Read a feed with its last run',
  request: { params: feedId },
  responses: {
    200: { description: 'The feed.', ...json(schemas.feed) },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'resource.not_found', 'service.unavailable'),
  },
});

const changeStateRoute = createRoute({
  method: 'post',
  path: '/v1/feeds/{feedId}/state',
  operationId: 'changeFeedState',
  tags,
  summary: 'Pause or resume a feed',
  request: {
    params: feedId,
    body: { required: true, ...json(z.strictObject({ state: z.enum(['active', 'paused']) })) },
  },
  responses: {
    200: { description: 'The feed; a resumed one submits everything again.', ...json(schemas.feed) },
    ...problemResponses(...writeProblems, 'resource.not_found'),
  },
});

const requestRunRoute = createRoute({
  method: 'post',
  path: '/v1/feeds/{feedId}/runs',
  operationId: 'requestFeedRun',
  tags,
  summary: 'Submit now',
  request: { params: feedId, body: { required: true, ...json(z.strictObject({ mode: z.enum(['full', 'delta']) })) } },
  responses: {
    202: {
      description: 'The feed; the run begins within a minute. A delta without changes does nothing.',
      ...json(schemas.feed),
    },
    ...problemResponses(...writeProblems, 'resource.not_found'),
  },
});

const listItemsRoute = createRoute({
  method: 'get',
  path: '/v1/feeds/{feedId}/items',
  operationId: 'listFeedItems',
  tags,
  summary: 'List what became of each item, with what is wrong with it',
  request: {
    params: feedId,
    query: pageQuery.extend({ after: id(300).optional(), state: z.enum(schemas.feedItemStates).optional() }),
  },
  responses: {
    200: { description: 'A page of items, by id.', ...json(schemas.feedItemPage) },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'resource.not_found', 'service.unavailable'),
  },
});

export const feedRoutes = [
  createFeedRoute,
  listFeedsRoute,
  readFeedRoute,
  changeStateRoute,
  requestRunRoute,
  listItemsRoute,
];

export function addFeedRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, clock } = dependencies;

  app.openapi(createFeedRoute, async (c) => {
    const wanted = c.req.valid('json');
    const merchantId = c.get('merchantId');
    const once = {
      merchantId,
      key: c.req.valid('header')['idempotency-key'],
      request: [c.req.method, c.req.path, wanted],
      deadline: c.get('deadline'),
    };
    const { body, replayed, location } = await commitOnce(dependencies, once, async (trx) => {
      const created = await createFeed(trx, merchantId, wanted, clock.now());
      const reply = schemas.showFeed(await oneFeed(trx, merchantId, created));
      return { reply: { status: 201, location: `/v1/feeds/${created}`, body: reply }, events: [] };
    });
    c.header('location', location);
    if (replayed) c.header('idempotency-replayed', 'true');
    return c.json(body, 201);
  });

  app.openapi(listFeedsRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const feeds = await asMerchant(db, merchantId, (trx) => readFeeds(trx, merchantId));
    return c.json({ feeds: feeds.map(schemas.showFeed) }, 200);
  });

  app.openapi(readFeedRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { feedId } = c.req.valid('param');
    const feed = await asMerchant(db, merchantId, (trx) => oneFeed(trx, merchantId, feedId));
    return c.json(schemas.showFeed(feed), 200);
  });

  app.openapi(changeStateRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { feedId } = c.req.valid('param');
    const { state } = c.req.valid('json');
    const feed = await asMerchant(db, merchantId, async (trx) => {
      await changeFeedState(trx, merchantId, { feedId, state }, clock.now());
      return await oneFeed(trx, merchantId, feedId);
    });
    return c.json(schemas.showFeed(feed), 200);
  });

  app.openapi(requestRunRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { feedId } = c.req.valid('param');
    const { mode } = c.req.valid('json');
    const feed = await asMerchant(db, merchantId, async (trx) => {
      await requestRun(trx, merchantId, { feedId, mode }, clock.now());
      return await oneFeed(trx, merchantId, feedId);
    });
    return c.json(schemas.showFeed(feed), 202);
  });

  app.openapi(listItemsRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { feedId } = c.req.valid('param');
    const { limit, after, state } = c.req.valid('query');
    const page = await asMerchant(db, merchantId, async (trx) => {
      await oneFeed(trx, merchantId, feedId);
      return await listFeedItems(trx, merchantId, {
        feedId,
        limit,
        ...(after === undefined ? {} : { after }),
        ...(state === undefined ? {} : { state }),
      });
    });
    return c.json({ items: page.items.map(schemas.showFeedItem), next: page.next ?? null }, 200);
  });
}

async function oneFeed(trx: Transaction<Database>, merchantId: string, feedId: string): Promise<Feed> {
  const [feed] = await readFeeds(trx, merchantId, feedId);
  if (feed === undefined) throw new LanewayError('resource.not_found', `You have no feed ${feedId}.`);
  return feed;
}
