import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { nextPage } from '../paging.ts';
import { problemResponses } from '../problem.ts';
import { listAuditLog } from '../../core/contexts/access/reads.ts';
import { asMerchant } from '../../core/database/transaction.ts';

const entry = z
  .object({
    id: z.int(),
    at: z.iso.datetime(),
    actor: z.string().openapi({ example: 'user:ana' }),
    action: z.string().openapi({ example: 'api_key.rotated' }),
    subject: z.string(),
    before: z.record(z.string(), z.unknown()).nullable(),
    after: z.record(z.string(), z.unknown()).nullable(),
    correlationId: z.string(),
  })
  .openapi('AuditEntry');

const listRoute = createRoute({
  method: 'get',
  path: '/v1/audit-log',
  operationId: 'listAuditLog',
  tags: ['Access'],
  summary: 'Who changed what, newest first',
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ type: 'integer', example: 50 }),
      after: z.coerce
        .number()
        .int()
        .min(1)
        .optional()
        .openapi({ type: 'integer', description: '`next` of the page before.' }),
    }),
  },
  responses: {
    200: {
      description: 'A page of changes.',
      content: { 'application/json': { schema: z.object({ entries: z.array(entry), next: nextPage }) } },
    },
    ...problemResponses('request.invalid', 'access.unauthenticated', 'access.forbidden', 'service.unavailable'),
  },
});

export const auditRoutes = [listRoute];

export function addAuditRoutes(app: OpenAPIHono<GatewayEnv>, { db }: GatewayDependencies): void {
  app.openapi(listRoute, async (c) => {
    const { limit, after } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, (trx) =>
      listAuditLog(trx, merchantId, { limit, ...(after === undefined ? {} : { after }) }),
    );
    const entries = page.items.map((row) => ({ ...row, at: row.at.toISOString() }));
    return c.json({ entries, next: page.next ?? null }, 200);
  });
}
