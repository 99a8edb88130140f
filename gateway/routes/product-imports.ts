import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { InvalidRequest, problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import {
  type ProductImport,
  getImport,
  listImportErrors,
  listImports,
  readPull,
} from '../../core/contexts/core-platform/reads.ts';
import { LineTooLong, splitLines } from '../../core/contexts/core-platform/split-lines.ts';
import {
  MAX_IMPORT_BYTES,
  createImport,
  enablePull,
  keepPart,
  startImport,
} from '../../core/contexts/core-platform/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { id } from '../../core/events/envelope.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const tags = ['Product imports'];
const params = z.object({ importId: id(128) });
/** What one effect of an import publishes. */
const partSize = { maxLines: 500, maxBytes: 262_144 };

const productImport = z
  .object({
    importId: z.string(),
    state: z.enum(['receiving', 'ready', 'running', 'done', 'failed']),
    receivedBytes: z.int().openapi({ description: 'Of whole lines: where an upload that broke off goes on.' }),
    receivedLines: z.int(),
    published: z.int().openapi({ description: 'Lines that became events.' }),
    refused: z.int().openapi({ description: 'Lines that could not be read; see the errors.' }),
    failure: z.string().nullable(),
    createdAt: z.iso.datetime(),
    finishedAt: z.iso.datetime().nullable(),
  })
  .openapi('ProductImport');
const lineError = z.object({ line: z.int(), path: z.string(), message: z.string() }).openapi('ImportLineError');
const pull = z
  .object({
    enabled: z.boolean(),
    cursor: z.string().nullable(),
    published: z.int(),
    refused: z.int(),
    lastRefusal: z.string().nullable(),
    pulledAt: z.iso.datetime().nullable(),
    failure: z.string().nullable(),
  })
  .openapi('ProductPull');

const createRouteOf = createRoute({
  method: 'post',
  path: '/v1/product-imports',
  operationId: 'createProductImport',
  tags,
  summary: 'Begin an import of products',
  responses: {
    201: { description: 'Upload its lines next.', content: json(productImport) },
    ...problemResponses(...readProblems, 'imports.too_many'),
  },
});
const uploadRoute = createRoute({
  method: 'put',
  path: '/v1/product-imports/{importId}/content',
  operationId: 'uploadProductImport',
  tags,
  summary: 'Upload lines of an import',
  description:
    'A product as JSON on each line (NDJSON), as much as fits into ten seconds and 256 MB in all. After an upload that ' +
    'broke off, read the import and go on from its `receivedBytes`.',
  request: {
    params,
    query: z.object({ from: z.coerce.number().int().min(0).default(0).describe('Bytes that were received before.') }),
    body: {
      required: true,
      content: {
        'application/x-ndjson': {
          schema: z.string().openapi({
            example:
              '{"productId":"sku-1","changedAttributes":{"title":"Trail shoe","priceMinor":8999,"currency":"EUR"}}\n',
          }),
        },
      },
    },
  },
  responses: {
    200: { description: 'All of it is kept.', content: json(productImport) },
    ...problemResponses(...writeProblems, 'resource.not_found', 'imports.illegal_state'),
  },
});
const startRoute = createRoute({
  method: 'post',
  path: '/v1/product-imports/{importId}/start',
  operationId: 'startProductImport',
  tags,
  summary: 'Start an import whose lines are uploaded',
  request: { params },
  responses: {
    202: { description: 'It is worked from now on.', content: json(productImport) },
    ...problemResponses(...readProblems, 'resource.not_found', 'imports.illegal_state'),
  },
});
const listRoute = createRoute({
  method: 'get',
  path: '/v1/product-imports',
  operationId: 'listProductImports',
  tags,
  summary: 'List imports',
  responses: {
    200: { description: 'The last 100, newest first.', content: json(z.object({ imports: z.array(productImport) })) },
    ...problemResponses(...readProblems),
  },
});
const readRoute = createRoute({
  method: 'get',
  path: '/v1/product-imports/{importId}',
  operationId: 'readProductImport',
  tags,
  summary: 'Read how far an import is',
  request: { params },
  responses: {
    200: { description: 'The import.', content: json(productImport) },
    ...problemResponses(...readProblems, 'resource.not_found'),
  },
});
const errorsRoute = createRoute({
  method: 'get',
  path: '/v1/product-imports/{importId}/errors',
  operationId: 'listProductImportErrors',
  tags,
  summary: 'List lines that could not be read',
  request: {
    params,
    query: z.object({
      after: z.coerce.number().int().min(0).default(0).describe('The last line of the page before.'),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
    }),
  },
  responses: {
    200: {
      description: 'By line; the first thousand are kept.',
      content: json(z.object({ errors: z.array(lineError) })),
    },
    ...problemResponses(...readProblems),
  },
});
const readPullRoute = createRoute({
  method: 'get',
  path: '/v1/product-imports/pull',
  operationId: 'readProductPull',
  tags,
  summary: 'Read whether changes are pulled from the core platform',
  responses: { 200: { description: 'The state.', content: json(pull) }, ...problemResponses(...readProblems) },
});
const enablePullRoute = createRoute({
  method: 'put',
  path: '/v1/product-imports/pull',
  operationId: 'enableProductPull',
  tags,
  summary: 'Turn the pulling of product changes on or off',
  request: {
    body: requiredBody(z.strictObject({ enabled: z.boolean() }).openapi('EnablePull', { example: { enabled: true } })),
  },
  responses: { 204: { description: 'Saved.' }, ...problemResponses(...writeProblems) },
});

export const productImportRoutes = [
  createRouteOf,
  listRoute,
  readPullRoute,
  enablePullRoute,
  readRoute,
  uploadRoute,
  startRoute,
  errorsRoute,
];

/** Bodies of this path are as long as they like: they are never held whole. */
export const isUpload = (path: string): boolean => /^\/v1\/product-imports\/[^/]+\/content$/.test(path);

const toImport = ({ createdAt, finishedAt, ...rest }: ProductImport): z.infer<typeof productImport> => ({
  ...rest,
  createdAt: createdAt.toISOString(),
  finishedAt: finishedAt?.toISOString() ?? null,
});

export function addProductImportRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, clock } = dependencies;
  const read = async (c: Context<GatewayEnv>, importId: string) => {
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => getImport(trx, merchantId, importId));
    if (found === undefined) throw new LanewayError('resource.not_found', `There is no import ${importId}.`);
    return toImport(found);
  };

  app.openapi(createRouteOf, async (c) => {
    const importId = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const subject = await createImport(trx, merchantId, nowMs);
      return { result: subject, action: 'product_import.created', subject };
    });
    c.header('location', `/v1/product-imports/${importId}`);
    return c.json(await read(c, importId), 201);
  });

  app.openapi(listRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => listImports(trx, merchantId));
    return c.json({ imports: found.map(toImport) }, 200);
  });

  app.openapi(readPullRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const found = await asMerchant(db, merchantId, (trx) => readPull(trx, merchantId));
    const never = { enabled: false, cursor: null, published: 0, refused: 0, lastRefusal: null, failure: null };
    return c.json({ ...never, ...found, pulledAt: found?.pulledAt?.toISOString() ?? null }, 200);
  });

  app.openapi(enablePullRoute, async (c) => {
    const { enabled } = c.req.valid('json');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await enablePull(trx, merchantId, enabled, nowMs);
      return { result: undefined, action: 'product_pull.changed', subject: merchantId, after: { enabled } };
    });
    return c.body(null, 204);
  });

  app.openapi(readRoute, async (c) => c.json(await read(c, c.req.valid('param').importId), 200));

  app.openapi(uploadRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { importId } = c.req.valid('param');
    const before = await read(c, importId);
    let { from } = c.req.valid('query');
    let lines = before.receivedLines;
    try {
      for await (const part of splitLines(c.req.raw.body ?? new Blob([]).stream(), partSize)) {
        if (c.get('deadline').aborted) throw new LanewayError('handler.deadline', 'the upload takes too long');
        if (from + part.body.length > MAX_IMPORT_BYTES)
          throw new LanewayError('request.too_large', `An import takes ${MAX_IMPORT_BYTES} bytes at most.`);
        const at = { merchantId, importId, from };
        await asMerchant(db, merchantId, (trx) => keepPart(trx, at, part, clock.now()));
        from += part.body.length;
        lines += part.lines;
      }
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      const message = `is longer than ${partSize.maxBytes} bytes; the lines before it are kept`;
      throw new InvalidRequest('A line is too long.', [{ path: `near line ${lines + 1}`, message }]);
    }
    return c.json(await read(c, importId), 200);
  });

  app.openapi(startRoute, async (c) => {
    const { importId } = c.req.valid('param');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await startImport(trx, merchantId, importId, nowMs);
      return { result: undefined, action: 'product_import.started', subject: importId };
    });
    return c.json(await read(c, importId), 202);
  });

  app.openapi(errorsRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const { importId } = c.req.valid('param');
    const query = c.req.valid('query');
    const errors = await asMerchant(db, merchantId, (trx) => listImportErrors(trx, merchantId, importId, query));
    return c.json({ errors }, 200);
  });
}
