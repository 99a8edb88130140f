import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import * as schemas from './offer-schemas.ts';
import { quoteOrder } from '../../core/contexts/promotions/quote-order.ts';
import { getOffer, listOffers, readOpenOffers } from '../../core/contexts/promotions/reads.ts';
import { changeOffer, createOffer, endOffer, scheduleOffer } from '../../core/contexts/promotions/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Offers'];
const params = z.object({ offerId: id(128) });
const theOffer = (description: string) => ({ description, content: json(schemas.offer) });
const changeProblems = [...writeProblems, 'offers.not_found', 'offers.illegal_change', 'offers.invalid'] as const;

const createOfferRoute = createRoute({
  method: 'post',
  path: '/v1/offers',
  operationId: 'createOffer',
  tags,
  summary: 'Create an offer',
  description: 'It starts and ends by itself. While it runs, product feeds carry the price it makes, with its dates.',
  request: { body: requiredBody(schemas.newOffer) },
  responses: {
    201: theOffer('The offer.'),
    ...problemResponses(...writeProblems, 'offers.invalid', 'offers.too_many'),
  },
});
const listOffersRoute = createRoute({
  method: 'get',
  path: '/v1/offers',
  operationId: 'listOffers',
  tags,
  summary: 'List offers',
  request: { query: pageQuery },
  responses: {
    200: { description: 'A page of offers, by id.', content: json(schemas.offerPage) },
    ...problemResponses(...readProblems),
  },
});
const readOfferRoute = createRoute({
  method: 'get',
  path: '/v1/offers/{offerId}',
  operationId: 'readOffer',
  tags,
  summary: 'Read an offer and what of its budget is spent',
  request: { params },
  responses: { 200: theOffer('The offer.'), ...problemResponses(...readProblems, 'offers.not_found') },
});
const changeOfferRoute = createRoute({
  method: 'put',
  path: '/v1/offers/{offerId}',
  operationId: 'changeOffer',
  tags,
  summary: 'Change an offer',
  request: { params, body: requiredBody(schemas.changedOffer) },
  responses: { 200: theOffer('The offer.'), ...problemResponses(...changeProblems) },
});
const stateRoute = createRoute({
  method: 'post',
  path: '/v1/offers/{offerId}/state',
  operationId: 'changeOfferState',
  tags,
  summary: 'Schedule a draft, or end an offer now',
  request: {
    params,
    body: requiredBody(
      z
        .strictObject({ state: z.enum(['scheduled', 'ended']) })
        .openapi('OfferStateChange', { example: { state: 'ended' } }),
    ),
  },
  responses: { 200: theOffer('The offer.'), ...problemResponses(...changeProblems, 'offers.too_many') },
});
const quoteRoute = createRoute({
  method: 'post',
  path: '/v1/offers/quotes',
  operationId: 'quoteOrder',
  tags,
  summary: 'Find the prices of an order',
  description: 'By the offers that run now and the rules by which they stack. Changes nothing.',
  request: { body: requiredBody(schemas.quoteRequest) },
  responses: {
    200: { description: 'The prices.', content: json(schemas.quote) },
    ...problemResponses(...writeProblems),
  },
});

export const offerRoutes = [
  createOfferRoute,
  listOffersRoute,
  readOfferRoute,
  changeOfferRoute,
  stateRoute,
  quoteRoute,
];

export function addOfferRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, clock } = dependencies;
  const read = async (c: Context<GatewayEnv>, offerId: string) => {
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => getOffer(trx, merchantId, offerId));
    if (found === undefined) throw new LanewayError('offers.not_found', `There is no offer ${offerId}.`);
    return schemas.toOffer(found);
  };

  app.openapi(createOfferRoute, async (c) => {
    const wanted = c.req.valid('json');
    const offerId = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const subject = await createOffer(trx, merchantId, wanted, nowMs);
      return { result: subject, action: 'offer.created', subject, after: wanted };
    });
    c.header('location', `/v1/offers/${offerId}`);
    return c.json(await read(c, offerId), 201);
  });

  app.openapi(listOffersRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { after, limit } = c.req.valid('query');
    const { items, next } = await asMerchant(db, merchantId, (trx) =>
      listOffers(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) }),
    );
    return c.json({ offers: items.map(schemas.toOffer), next: next ?? null }, 200);
  });

  app.openapi(readOfferRoute, async (c) => c.json(await read(c, c.req.valid('param').offerId), 200));

  app.openapi(changeOfferRoute, async (c) => {
    const { offerId } = c.req.valid('param');
    const wanted = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const before = await getOffer(trx, merchantId, offerId);
      await changeOffer(trx, merchantId, offerId, wanted, nowMs);
      const was = before === undefined ? {} : { before: { ...schemas.toOffer(before) } };
      return { result: undefined, action: 'offer.changed', subject: offerId, ...was, after: wanted };
    });
    return c.json(await read(c, offerId), 200);
  });

  app.openapi(stateRoute, async (c) => {
    const { offerId } = c.req.valid('param');
    const { state } = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      if (state === 'scheduled') await scheduleOffer(trx, merchantId, offerId, nowMs);
      else await endOffer(trx, merchantId, offerId, nowMs);
      return { result: undefined, action: `offer.${state}`, subject: offerId };
    });
    return c.json(await read(c, offerId), 200);
  });

  app.openapi(quoteRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const now = clock.now();
    const open = await asMerchant(db, merchantId, (trx) => readOpenOffers(trx, merchantId, now));
    const running = open.filter(({ startsAt }) => startsAt.getTime() <= now);
    return c.json(quoteOrder(running, c.req.valid('json')), 200);
  });
}
