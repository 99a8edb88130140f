import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { nextPage, pageQuery } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { type Product, getProduct, listProducts } from '../../core/contexts/catalog/reads.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const product = z
  .object({
    productId: z.string(),
    title: z.string().nullable(),
    priceMinor: z.int().nullable().openapi({ description: 'Minor units of `currency`.' }),
    currency: z.string().nullable().openapi({ description: 'ISO 4217.' }),
    availability: z.string().nullable(),
    attributes: z.record(z.string(), z.unknown()).openapi({ description: 'Everything the core platform said.' }),
    revision: z.int().openapi({ description: 'Counts the changes that took effect.' }),
    changedAt: z.iso.datetime().openapi({ description: 'When the product changed at its source.' }),
    deletedAt: z.iso.datetime().nullable(),
  })
  .openapi('Product', {
    example: {
      productId: 'sku-1001',
      title: 'Trail shoe',
      priceMinor: 8_999,
      currency: 'EUR',
      availability: 'in_stock',
      attributes: { title: 'Trail shoe', priceMinor: 8_999, currency: 'EUR', availability: 'in_stock' },
      revision: 3,
      changedAt: '2026-11-23T10:15:00.000Z',
      deletedAt: null,
    },
  });

const productPage = z.object({ products: z.array(product), next: nextPage }).openapi('ProductPage');

const listRoute = createRoute({
  method: 'get',
  path: '/v1/products',
  operationId: 'listProducts',
  tags: ['Products'],
  summary: 'List products',
  request: {
    query: pageQuery.extend({
      includeDeleted: z
        .enum(['true', 'false'])
        .default('false')
        .openapi({ description: 'Also list deleted products.' }),
    }),
  },
  responses: {
    200: { description: 'A page of products, by id.', content: { 'application/json': { schema: productPage } } },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'service.unavailable'),
  },
});

const readRoute = createRoute({
  method: 'get',
  path: '/v1/products/{productId}',
  operationId: 'readProduct',
  tags: ['Products'],
  summary: 'Read a product',
  request: { params: z.object({ productId: id(128) }) },
  responses: {
    200: { description: 'The product, deleted or not.', content: { 'application/json': { schema: product } } },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'resource.not_found', 'service.unavailable'),
  },
});

export const productRoutes = [listRoute, readRoute];

export function addProductRoutes(app: OpenAPIHono<GatewayEnv>, { db }: GatewayDependencies): void {
  app.openapi(listRoute, async (c) => {
    const { limit, after, includeDeleted } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, (trx) =>
      listProducts(trx, merchantId, {
        limit,
        includeDeleted: includeDeleted === 'true',
        ...(after === undefined ? {} : { after }),
      }),
    );
    return c.json({ products: page.items.map(showProduct), next: page.next ?? null }, 200);
  });

  app.openapi(readRoute, async (c) => {
    const { productId } = c.req.valid('param');
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => getProduct(trx, merchantId, productId));
    if (found === undefined) throw new LanewayError('resource.not_found', `You have no product ${productId}.`);
    return c.json(showProduct(found), 200);
  });
}

const showProduct = (row: Product): z.infer<typeof product> => ({
  productId: row.productId,
  title: row.title,
  priceMinor: row.priceMinor,
  currency: row.currency,
  availability: row.availability,
  attributes: row.attributes,
  revision: row.revision,
  changedAt: row.sourceAt.toISOString(),
  deletedAt: row.deletedAt?.toISOString() ?? null,
});
