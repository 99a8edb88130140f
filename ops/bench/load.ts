import { productCoreDataUpdatedEvent } from '../../core/contexts/catalog/events.ts';
import { type Registry, createRegistry, currentVersion } from '../../core/events/registry.ts';

/**
 * The one event type that all parts are fed with, with its catalog handler only: every contender then does the same work
 * for an event, which is one idempotency record and one product.
 */
const definition = {
  ...productCoreDataUpdatedEvent,
  handlers: [
    productCoreDataUpdatedEvent.handlers.find(({ name }) => name === 'handleProductCoreUpdate') ??
      productCoreDataUpdatedEvent.handlers[0],
  ],
} as const;

export const benchRegistry: Registry = createRegistry([definition]);

export interface BenchEvent {
  merchantId: string;
  eventId: string;
  productId: string;
  /** The message as its producer sends it. */
  body: string;
}

export interface LoadShape {
  merchants: readonly string[];
  /** Events of each merchant. */
  each: number;
  /** Set apart loads of one run that go into the same stores. */
  salt?: string;
}

const startMs = Date.parse('2026-11-23T10:00:00.000Z');
const productsPerMerchant = 50;
const description = 'Light trail shoe with a rock plate, 4 mm lugs and a gusseted tongue. '.repeat(3);

export const merchantIds = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `shop-${String(index + 1).padStart(6, '0')}`);

/** Merchants take turns, so that events of one merchant lie far apart; within a merchant the order is that of the list. */
export function productEvents({ merchants, each, salt = 'a' }: LoadShape): BenchEvent[] {
  const events: BenchEvent[] = [];
  for (let turn = 1; turn <= each; turn++) {
    for (const merchantId of merchants) events.push(productEvent(merchantId, turn, salt));
  }
  return events;
}

export function productEvent(merchantId: string, ordinal: number, salt = 'a'): BenchEvent {
  const eventId = `${salt}-${merchantId}-${ordinal}`;
  const productId = `sku-${ordinal % productsPerMerchant}`;
  const timestamp = new Date(startMs + ordinal * 1_000).toISOString();
  const body = JSON.stringify({
    eventId,
    eventType: definition.name,
    eventVersion: currentVersion(definition).version,
    timestamp,
    sourceService: definition.sourceContext,
    correlationId: eventId,
    merchantId,
    payload: {
      productId,
      operationType: 'update',
      timestamp,
      changedAttributes: {
        title: `Trail shoe ${ordinal}`,
        description,
        priceMinor: 8_000 + (ordinal % 1_000),
        currency: 'EUR',
        availability: 'in_stock',
      },
    },
  });
  return { merchantId, eventId, productId, body };
}
