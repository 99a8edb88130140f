import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems } from '../route-parts.ts';
import { readMaintenance, readQuotas } from '../../core/contexts/platform/reads.ts';
import { asMerchant } from '../../core/database/transaction.ts';

const tags = ['Platform'];

const maintenanceRoute = createRoute({
  method: 'get',
  path: '/v1/maintenance',
  operationId: 'listMaintenance',
  tags,
  summary: 'List maintenance that is under way or to come',
  description: 'Changes are taken in the meantime, and carried out afterwards.',
  responses: {
    200: {
      description: 'The next one first.',
      content: json(
        z.object({
          windows: z.array(
            z
              .object({
                windowId: z.string(),
                startsAt: z.iso.datetime(),
                endsAt: z.iso.datetime(),
                reason: z.string(),
              })
              .openapi('MaintenanceWindow'),
          ),
        }),
      ),
    },
    ...problemResponses(...readProblems),
  },
});

const quotasRoute = createRoute({
  method: 'get',
  path: '/v1/quotas',
  operationId: 'readQuotas',
  tags,
  summary: 'Read how much of what there may be',
  responses: {
    200: {
      description: 'By the plan of the day, or as it was agreed.',
      content: json(
        z
          .object({ campaigns: z.int(), audienceSegments: z.int(), webhookEndpoints: z.int() })
          .openapi('Quotas', { example: { campaigns: 1_000, audienceSegments: 100, webhookEndpoints: 20 } }),
      ),
    },
    ...problemResponses(...readProblems),
  },
});

export const platformRoutes = [maintenanceRoute, quotasRoute];

export function addPlatformRoutes(app: OpenAPIHono<GatewayEnv>, { db, clock }: GatewayDependencies): void {
  app.openapi(maintenanceRoute, async (c) => {
    const found = await asMerchant(db, c.get('merchantId'), (trx) => readMaintenance(trx, clock.now()));
    const windows = found.map(({ startsAt, endsAt, ...rest }) => ({
      ...rest,
      startsAt: startsAt.toISOString(),
      endsAt: endsAt.toISOString(),
    }));
    return c.json({ windows }, 200);
  });

  app.openapi(quotasRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const quotas = await asMerchant(db, merchantId, (trx) => readQuotas(trx, merchantId, clock.now()));
    const { campaigns, audience_segments: audienceSegments, webhook_endpoints: webhookEndpoints } = quotas;
    return c.json({ campaigns, audienceSegments, webhookEndpoints }, 200);
  });
}
