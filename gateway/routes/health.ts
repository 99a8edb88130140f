import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { checkSchema } from '../../core/database/migrate.ts';
import { withDeadline } from '../../core/runtime/deadline.ts';

const CHECK_MS = 2_000;

const live = z.object({ status: z.literal('ok'), state: z.string() }).openapi('Live');
const readiness = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    state: z.string(),
    dependencies: z.object({ postgres: z.enum(['ok', 'unavailable']) }),
  })
  .openapi('Readiness');

export const readHealth = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'readHealth',
  tags: ['Operation'],
  summary: 'Whether the process lives',
  security: [],
  responses: { 200: { description: 'It lives.', content: { 'application/json': { schema: live } } } },
});

export const readReadiness = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'readReadiness',
  tags: ['Operation'],
  summary: 'Whether the process can do its work',
  security: [],
  responses: {
    200: { description: 'Send it requests.', content: { 'application/json': { schema: readiness } } },
    503: { description: 'Send it none.', content: { 'application/json': { schema: readiness } } },
  },
});

export function addHealthRoutes(app: OpenAPIHono<GatewayEnv>, { db, state }: GatewayDependencies): void {
  app.openapi(readHealth, (c) => c.json({ status: 'ok' as const, state: state() }, 200));
  app.openapi(readReadiness, async (c) => {
    const postgres = await withDeadline('the readiness check', CHECK_MS, () => checkSchema(db)).then(
      () => 'ok' as const,
      () => 'unavailable' as const,
    );
    const ready = postgres === 'ok' && state() === 'ready';
    const body = {
      status: ready ? ('ok' as const) : ('unavailable' as const),
      state: state(),
      dependencies: { postgres },
    };
    return ready ? c.json(body, 200) : c.json(body, 503);
  });
}
