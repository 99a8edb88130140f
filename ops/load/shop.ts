import { type CampaignEvents, campaignEvents } from './campaign-events.ts';
import { type ConversionEvents, conversionEvents } from './conversion-events.ts';
import { notificationEvent, webhookEvent } from './message-events.ts';
import type { DrawnType } from './mix.ts';
import { type OrderEvents, orderEvents } from './order-events.ts';
import { performanceEvent } from './performance-events.ts';
import { type ProductEvents, productEvents } from './product-events.ts';
import type { Random } from './random.ts';
import { type UpkeepEvents, retentionEvent, upkeepEvents } from './upkeep-events.ts';

/** A merchant of a load, with everything that it remembers of what it sent. */
export interface Shop {
  readonly merchantId: string;
  readonly currency: string;
  readonly products: ProductEvents;
  readonly campaigns: CampaignEvents;
  readonly orders: OrderEvents;
  readonly conversions: ConversionEvents;
  readonly upkeep: UpkeepEvents;
}

export function openShop(merchantId: string, random: Random): Shop {
  const currency = random.pick(['EUR', 'EUR', 'USD', 'JPY']);
  return {
    merchantId,
    currency,
    products: productEvents(random),
    campaigns: campaignEvents(merchantId, random),
    orders: orderEvents(random, currency),
    conversions: conversionEvents(random, currency),
    upkeep: upkeepEvents(merchantId, random),
  };
}

export interface Moment {
  readonly n: number;
  readonly atMs: number;
  /** When the load began. */
  readonly startMs: number;
}

export function nextPayload(
  shop: Shop,
  type: DrawnType,
  random: Random,
  { n, atMs, startMs }: Moment,
): Record<string, unknown> {
  const timestamp = new Date(atMs).toISOString();
  switch (type) {
    case 'AdPerformanceDataIngestedEvent':
      return performanceEvent(random, n, atMs, shop.currency);
    case 'ProductCoreDataUpdatedEvent':
      return shop.products.next(timestamp);
    case 'OrderDataAttributedToAdEvent':
      return shop.orders.next(atMs);
    case 'CampaignStateChangeRequestedEvent':
      return shop.campaigns.next(timestamp);
    case 'AffiliateConversionAttributionRequiredEvent':
      return shop.conversions.next(atMs);
    case 'NotificationDispatchRequestedEvent':
      return notificationEvent(random, n, timestamp);
    case 'ThirdPartyAppWebhookEvent':
      return webhookEvent(random, n, timestamp);
    case 'AudienceSegmentUpdateRequestedEvent':
      return shop.upkeep.audience(timestamp);
    case 'ProductCatalogFeedReadyForSubmissionEvent':
      return shop.upkeep.feed(timestamp);
    case 'DataRetentionJobTriggerEvent':
      return retentionEvent(random, startMs, timestamp);
    default:
      return type satisfies never;
  }
}
