import { type OpenAPIHono, createRoute, z } from '@hono/zod-openapi';
import type { Transaction } from 'kysely';
import type { GatewayDependencies, GatewayEnv } from '../context.ts';
import { verifySignature } from '../middleware/verify-signature.ts';
import { type Fault, InvalidRequest, problemResponses } from '../problem.ts';
import { productChange, productEventOf } from '../../core/contexts/core-platform/product-change.ts';
import { appendOutbox, eventRow } from '../../core/database/outbox.ts';
import type { Database } from '../../core/database/tables.ts';
import { asMerchant } from '../../core/database/transaction.ts';
import type { BuiltEvent } from '../../core/events/build.ts';
import { merchantId } from '../../core/events/envelope.ts';
import type { Registry } from '../../core/events/registry.ts';
import { LanewayError } from '../../core/runtime/errors.ts';

const delivery = z
  .object({ merchantId, changes: z.array(productChange).min(1).max(500) })
  .superRefine(({ changes }, context) => {
    const seen = new Set<string>();
    for (const [index, { changeId }] of changes.entries()) {
      if (seen.has(changeId))
        context.addIssue({ code: 'custom', path: ['changes', index, 'changeId'], message: 'appears twice' });
      seen.add(changeId);
    }
  })
  .openapi('ProductChanges', {
    example: {
      merchantId: 'shop-1',
      changes: [
        {
          changeId: 'chg-88123',
          productId: 'sku-1001',
          operationType: 'update',
          timestamp: '2026-11-23T10:15:00.000Z',
          changedAttributes: { title: 'Trail shoe', priceMinor: 8_999, currency: 'EUR', availability: 'in_stock' },
        },
      ],
    },
  });

export const receiveProductChanges = createRoute({
  method: 'post',
  path: '/webhooks/core-platform/products',
  operationId: 'receiveProductChanges',
  tags: ['Core platform'],
  summary: 'Receive product changes of a merchant',
  description:
    'Each change becomes a ProductCoreDataUpdatedEvent, in the order given, all or none. A change is known by its ' +
    '`changeId`: delivering it again, unaltered, has no further effect.',
  security: [{ corePlatform: [] }],
  request: {
    headers: z.object({
      'x-laneway-timestamp': z
        .string()
        .openapi({ description: 'Unix seconds, at most 300 away from our clock.', example: '1795429200' }),
    }),
    body: { required: true, content: { 'application/json': { schema: delivery } } },
  },
  responses: {
    202: {
      description: 'Taken; the events are on their way.',
      content: {
        'application/json': {
          schema: z.object({ accepted: z.int(), events: z.array(z.string()) }).openapi('ProductChangesAccepted', {
            example: { accepted: 1, events: ['4f2dd0c5-2f0a-8b9e-9d3c-0c6f6f1f7a11'] },
          }),
        },
      },
    },
    ...problemResponses(
      'request.invalid',
      'access.signature_invalid',
      'request.too_large',
      'request.media_type',
      'service.unavailable',
    ),
  },
});

export function addCorePlatformRoutes(app: OpenAPIHono<GatewayEnv>, dependencies: GatewayDependencies): void {
  const { db, registry, clock } = dependencies;
  const route = { ...receiveProductChanges, middleware: [verifySignature(dependencies)] };
  app.openapi(route, async (c) => {
    const body = c.req.valid('json');
    const events = eventsOf(registry, body);
    await asMerchant(db, body.merchantId, async (trx) => {
      const finished = await finishedEvents(trx, body.merchantId, events);
      const rows = events.filter(({ eventId }) => !finished.has(eventId)).map(eventRow);
      await appendOutbox(trx, rows, clock.now());
      if (c.get('deadline').aborted) throw new LanewayError('handler.deadline', 'nobody waits for the answer any more');
    });
    return c.json({ accepted: events.length, events: events.map(({ eventId }) => eventId) }, 202);
  });
}

/** All of the changes, or every one that no event can carry. */
function eventsOf(registry: Registry, { merchantId, changes }: z.infer<typeof delivery>): BuiltEvent[] {
  const events: BuiltEvent[] = [];
  const faults: Fault[] = [];
  for (const [index, change] of changes.entries()) {
    const made = productEventOf(registry, merchantId, change);
    if ('event' in made) events.push(made.event);
    else faults.push({ path: `changes.${index}`, message: made.fault });
  }
  if (faults.length > 0) throw new InvalidRequest('A change cannot become an event.', faults);
  return events;
}

/**
 * Events that were accepted before and need no second message. Those of which a handler gave up are sent again: the engine
 * takes the repetition as a request to retry.
 */
async function finishedEvents(
  trx: Transaction<Database>,
  merchantId: string,
  events: readonly BuiltEvent[],
): Promise<ReadonlySet<string>> {
  const eventIds = events.map(({ eventId }) => eventId);
  const rows = await trx
    .selectFrom('accepted')
    .select('event_id')
    .where('merchant_id', '=', merchantId)
    .where('event_id', 'in', eventIds)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('settlements')
            .whereRef('settlements.merchant_id', '=', 'accepted.merchant_id')
            .whereRef('settlements.day', '=', 'accepted.day')
            .whereRef('settlements.mseq', '=', 'accepted.mseq')
            .where('settlements.outcome', '=', 'dead')
            .select('settlements.mseq'),
        ),
      ),
    )
    .execute();
  return new Set(rows.map((row) => row.event_id));
}
