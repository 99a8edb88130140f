import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { makeChange } from '../make-change.ts';
import { problemResponses } from '../problem.ts';
import { json, readProblems, requiredBody, writeProblems } from '../route-parts.ts';
import { webhookType } from '../../core/contexts/webhooks/events.ts';
import { parseEndpointUrl } from '../../core/contexts/webhooks/guard-address.ts';
import { type Endpoint, listAttempts, listDeliveries, readEndpoints } from '../../core/contexts/webhooks/reads.ts';
import { changeEndpoint, createEndpoint, requireEndpoint, rotateSecret } from '../../core/contexts/webhooks/writes.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import { buildEvent } from '../../core/events/build.ts';
import { id, isoTimestamp } from '../../core/events/envelope.ts';
import { newId } from '../../core/runtime/ids.ts';

const tags = ['Webhooks'];
const base = '/v1/webhooks/endpoints';
const endpointId = z.object({ endpointId: id(64) });
const ofDelivery = z.object({ endpointId: id(64), eventId: id(128) });

const types = z
  .array(z.union([webhookType, z.string().regex(/^([a-z][a-z0-9_]{0,39}\.){0,4}\*$/)]))
  .min(1)
  .max(50)
  .openapi({ description: 'Exact types, `campaign.*` or `*`.', example: ['campaign.*', 'invoice.paid'] });

const settings = {
  url: z.string().max(2_000).describe('Public and HTTPS.'),
  description: z.string().max(200),
  types,
  ordering: z
    .enum(['parallel', 'sequential'])
    .openapi({ description: 'sequential: a message waits for the one before it, however long that takes.' }),
};

const newEndpoint = z
  .strictObject({
    ...settings,
    description: settings.description.default(''),
    ordering: settings.ordering.default('parallel'),
  })
  .openapi('NewWebhookEndpoint', { example: { url: 'https://hooks.example/laneway', types: ['campaign.*'] } });

const endpointChange = z
  .strictObject({ ...settings, state: z.enum(['enabled', 'disabled']) })
  .partial()
  .openapi('WebhookEndpointChange', { example: { state: 'enabled' } });

const endpoint = z
  .object({
    endpointId: z.string(),
    ...settings,
    types: z.array(z.string()),
    state: z.enum(['enabled', 'disabled', 'deleted']),
    stateReason: z.string().nullable(),
    failingSince: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
  })
  .openapi('WebhookEndpoint');
const secret = z
  .string()
  .openapi({ description: 'Shown this once. Verify as Standard Webhooks says.', example: 'whsec_…' });

const delivery = z
  .object({
    sequence: z.int(),
    eventId: z.string(),
    webhookType: z.string(),
    status: z.enum(['pending', 'delivered', 'failed', 'held']),
    attempts: z.int(),
    responseStatus: z.int().nullable(),
    error: z.string().nullable(),
    createdAt: z.iso.datetime(),
    lastAttemptAt: z.iso.datetime().nullable(),
    deliveredAt: z.iso.datetime().nullable(),
  })
  .openapi('WebhookDelivery');
const attempt = z
  .object({
    attempt: z.int(),
    at: z.iso.datetime(),
    durationMs: z.int(),
    responseStatus: z.int().nullable(),
    response: z.string().nullable(),
    error: z.string().nullable(),
  })
  .openapi('WebhookAttempt');
const queued = z.object({ eventId: z.string() }).openapi('WebhookRedelivery');

const listRoute = createRoute({
  method: 'get',
  path: base,
  operationId: 'listWebhookEndpoints',
  tags,
  summary: 'List webhook endpoints',
  responses: {
    200: { description: 'All of them, by id.', content: json(z.object({ endpoints: z.array(endpoint) })) },
    ...problemResponses(...readProblems),
  },
});
const createEndpointRoute = createRoute({
  method: 'post',
  path: base,
  operationId: 'createWebhookEndpoint',
  tags,
  summary: 'Create a webhook endpoint',
  request: { body: requiredBody(newEndpoint) },
  responses: {
    201: { description: 'With its secret.', content: json(z.object({ endpoint, secret })) },
    ...problemResponses(...writeProblems, 'webhooks.url_refused', 'platform.quota_reached'),
  },
});
const changeRoute = createRoute({
  method: 'patch',
  path: `${base}/{endpointId}`,
  operationId: 'changeWebhookEndpoint',
  tags,
  summary: 'Change, disable or enable a webhook endpoint',
  request: { params: endpointId, body: requiredBody(endpointChange) },
  responses: {
    200: { description: 'As it is now.', content: json(endpoint) },
    ...problemResponses(...writeProblems, 'webhooks.not_found', 'webhooks.url_refused'),
  },
});
const deleteRoute = createRoute({
  method: 'delete',
  path: `${base}/{endpointId}`,
  operationId: 'deleteWebhookEndpoint',
  tags,
  summary: 'Delete a webhook endpoint',
  request: { params: endpointId },
  responses: { 204: { description: 'Deleted.' }, ...problemResponses(...readProblems, 'webhooks.not_found') },
});
const rotateRoute = createRoute({
  method: 'post',
  path: `${base}/{endpointId}/rotate-secret`,
  operationId: 'rotateWebhookSecret',
  tags,
  summary: 'Replace the signing secret',
  description: 'For 24 hours messages are signed with the secret before as well.',
  request: { params: endpointId },
  responses: {
    201: { description: 'The new secret.', content: json(z.object({ secret })) },
    ...problemResponses(...readProblems, 'webhooks.not_found'),
  },
});
const deliveriesRoute = createRoute({
  method: 'get',
  path: `${base}/{endpointId}/deliveries`,
  operationId: 'listWebhookDeliveries',
  tags,
  summary: 'Read the delivery log',
  request: {
    params: endpointId,
    query: z.object({
      limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ type: 'integer' }),
      before: z.coerce
        .number()
        .int()
        .min(1)
        .optional()
        .openapi({ description: '`next` of the page before.', type: 'integer' }),
      status: z.enum(['pending', 'delivered', 'failed', 'held']).optional(),
    }),
  },
  responses: {
    200: {
      description: 'Newest first.',
      content: json(z.object({ deliveries: z.array(delivery), next: z.int().nullable() })),
    },
    ...problemResponses(...readProblems, 'webhooks.not_found'),
  },
});
const attemptsRoute = createRoute({
  method: 'get',
  path: `${base}/{endpointId}/deliveries/{eventId}/attempts`,
  operationId: 'listWebhookAttempts',
  tags,
  summary: 'Read every attempt of a delivery',
  request: { params: ofDelivery },
  responses: {
    200: { description: 'Newest first.', content: json(z.object({ attempts: z.array(attempt) })) },
    ...problemResponses(...readProblems, 'webhooks.not_found'),
  },
});
const resendRoute = createRoute({
  method: 'post',
  path: `${base}/{endpointId}/deliveries/{eventId}/resend`,
  operationId: 'resendWebhook',
  tags,
  summary: 'Send one message again',
  request: { params: ofDelivery },
  responses: {
    202: { description: 'It will be sent, under the id it had.', content: json(queued) },
    ...problemResponses(...readProblems, 'webhooks.not_found'),
  },
});
const recoverRoute = createRoute({
  method: 'post',
  path: `${base}/{endpointId}/recover`,
  operationId: 'recoverWebhooks',
  tags,
  summary: 'Send everything again that was missed since a time',
  request: {
    params: endpointId,
    body: requiredBody(z.strictObject({ since: isoTimestamp }).openapi('WebhookRecovery')),
  },
  responses: {
    202: { description: 'It will be sent, in order.', content: json(queued) },
    ...problemResponses(...writeProblems, 'webhooks.not_found'),
  },
});

export const webhookRoutes = [
  listRoute,
  createEndpointRoute,
  changeRoute,
  deleteRoute,
  rotateRoute,
  deliveriesRoute,
  attemptsRoute,
  resendRoute,
  recoverRoute,
];

const showEndpoint = ({ failingSince, createdAt, ...rest }: Endpoint): z.infer<typeof endpoint> => ({
  ...rest,
  failingSince: failingSince?.toISOString() ?? null,
  createdAt: createdAt.toISOString(),
});

export function addWebhookRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, registry, keyring } = dependencies;
  const rules = { allowLoopback: dependencies.webhookLoopback };
  const checkUrl = (url: string): string => parseEndpointUrl(url, rules).href;

  const redeliver = (c: Context<GatewayEnv>, toId: string, redelivery: { since?: string; eventId?: string }) =>
    makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await requireEndpoint(trx, merchantId, toId);
      const event = buildEvent(registry, {
        eventId: newId(),
        eventType: 'ThirdPartyAppWebhookEvent',
        merchantId,
        correlationId: c.get('correlationId'),
        traceparent: c.get('traceparent'),
        timestamp: new Date(nowMs).toISOString(),
        payload: {
          webhookType: 'laneway.redelivery',
          timestamp: new Date(nowMs).toISOString(),
          data: {},
          endpointId: toId,
          redelivery,
        },
      });
      const result = { eventId: event.eventId };
      return { result, action: 'webhook.redelivered', subject: toId, after: { ...redelivery }, events: [event] };
    });

  app.openapi(listRoute, async (c) => {
    const merchantId = c.get('merchantId');
    const endpoints = await asMerchant(db, merchantId, (trx) => readEndpoints(trx, merchantId));
    return c.json({ endpoints: endpoints.map(showEndpoint) }, 200);
  });

  app.openapi(createEndpointRoute, async (c) => {
    const wanted = c.req.valid('json');
    const made = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const created = await createEndpoint(trx, keyring, merchantId, { ...wanted, url: checkUrl(wanted.url) }, nowMs);
      const shown = showEndpoint(await requireEndpoint(trx, merchantId, created.endpointId));
      const after = { url: shown.url, types: shown.types, ordering: shown.ordering };
      const result = { endpoint: shown, secret: created.secret };
      return { result, action: 'webhook_endpoint.created', subject: created.endpointId, after };
    });
    return c.json(made, 201);
  });

  app.openapi(changeRoute, async (c) => {
    const { endpointId: subject } = c.req.valid('param');
    const { url, description, types: wantedTypes, ordering, state } = c.req.valid('json');
    const wanted = {
      ...(url === undefined ? {} : { url: checkUrl(url) }),
      ...(description === undefined ? {} : { description }),
      ...(wantedTypes === undefined ? {} : { types: wantedTypes }),
      ...(ordering === undefined ? {} : { ordering }),
      ...(state === undefined ? {} : { state }),
    };
    const shown = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await changeEndpoint(trx, merchantId, subject, wanted, nowMs);
      const result = showEndpoint(await requireEndpoint(trx, merchantId, subject));
      return { result, action: 'webhook_endpoint.changed', subject, after: wanted };
    });
    return c.json(shown, 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { endpointId: subject } = c.req.valid('param');
    await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      await changeEndpoint(trx, merchantId, subject, { state: 'deleted' }, nowMs);
      return { result: undefined, action: 'webhook_endpoint.deleted', subject };
    });
    return c.body(null, 204);
  });

  app.openapi(rotateRoute, async (c) => {
    const { endpointId: subject } = c.req.valid('param');
    const fresh = await makeChange(dependencies, c, async (trx, merchantId, nowMs) => {
      const result = await rotateSecret(trx, keyring, merchantId, subject, nowMs);
      return { result, action: 'webhook_endpoint.secret_rotated', subject };
    });
    return c.json({ secret: fresh }, 201);
  });

  app.openapi(deliveriesRoute, async (c) => {
    const { endpointId: of } = c.req.valid('param');
    const { limit, before, status } = c.req.valid('query');
    const merchantId = c.get('merchantId');
    const page = await asMerchant(db, merchantId, async (trx) => {
      await requireEndpoint(trx, merchantId, of);
      const filter = { ...(before === undefined ? {} : { before }), ...(status === undefined ? {} : { status }) };
      return await listDeliveries(trx, merchantId, of, { limit, ...filter });
    });
    const deliveries = page.items.map(({ createdAt, lastAttemptAt, deliveredAt, ...rest }) => ({
      ...rest,
      createdAt: createdAt.toISOString(),
      lastAttemptAt: lastAttemptAt?.toISOString() ?? null,
      deliveredAt: deliveredAt?.toISOString() ?? null,
    }));
    return c.json({ deliveries, next: page.next ?? null }, 200);
  });

  app.openapi(attemptsRoute, async (c) => {
    const { endpointId: of, eventId } = c.req.valid('param');
    const merchantId = c.get('merchantId');
    const attempts = await asMerchant(db, merchantId, async (trx) => {
      await requireEndpoint(trx, merchantId, of);
      return await listAttempts(trx, merchantId, of, eventId);
    });
    return c.json({ attempts: attempts.map(({ at, ...rest }) => ({ ...rest, at: at.toISOString() })) }, 200);
  });

  app.openapi(resendRoute, async (c) => {
    const { endpointId: to, eventId } = c.req.valid('param');
    return c.json(await redeliver(c, to, { eventId }), 202);
  });

  app.openapi(recoverRoute, async (c) => {
    const { since } = c.req.valid('json');
    return c.json(await redeliver(c, c.req.valid('param').endpointId, { since }), 202);
  });
}
