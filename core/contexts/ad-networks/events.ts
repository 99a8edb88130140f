import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../events/definition.ts';
import { id, isoDay, isoTimestamp, merchantId } from '../../events/envelope.ts';
import { figure, fractionalFigure, micros } from '../../events/figures.ts';
import { laneRetry } from '../../runtime/retry.ts';
import { adNetworkIds } from '../campaigns/events.ts';

/** Of version 1.0.0. */
const firstPerformanceMetrics = z.looseObject({
  impressions: figure,
  clicks: figure,
  /** Networks report modelled, fractional conversions. */
  conversions: fractionalFigure,
  /** Millionths of the currency's major unit. */
  spendMicros: micros,
  currency: z.string().regex(/^[A-Z]{3}$/),
});

/** A day's figures as the network reported them; a later report of the same day replaces an earlier one. */
export const performanceMetrics = firstPerformanceMetrics.extend({
  /** What the network says its conversions were worth, in millionths of the currency's major unit. */
  conversionValueMicros: micros.optional(),
});

const firstAdPerformanceDataIngestedPayload = z.looseObject({
  adNetworkId: z.enum(adNetworkIds),
  /** A day in the time zone of the ad account. */
  reportDate: isoDay,
  metricsPayload: firstPerformanceMetrics,
  /** When the figures were read: decides which of two reports of one day is newer. */
  timestamp: isoTimestamp,
  merchantId: merchantId.optional(),
  campaignId: id(128).optional(),
  adSetId: id(128).optional(),
  adId: id(128).optional(),
});

export const adPerformanceDataIngestedPayload = firstAdPerformanceDataIngestedPayload.extend({
  metricsPayload: performanceMetrics,
  /** IANA name of the zone that `reportDate` is a day of. */
  accountTimeZone: id(64).optional(),
});

export type AdPerformanceDataIngested = z.infer<typeof adPerformanceDataIngestedPayload>;

export const adPerformanceDataIngestedEvent: EventDefinition = {
  id: 'evt_ad_perf_ingest_001',
  name: 'AdPerformanceDataIngestedEvent',
  type: 'domain',
  category: 'Analytics',
  description: 'Performance figures were read from an ad network and can be aggregated.',
  frequency: 'high',
  priority: 'high',
  criticality: 'critical',
  routingKey: 'ad.performance.data.ingested',
  sourceContext: 'AdNetworkIntegrationService',
  targetContexts: ['AnalyticsReportingService'],
  versions: [
    { version: '1.0.0', schema: firstAdPerformanceDataIngestedPayload, upcast: (payload) => payload },
    { version: '1.1.0', schema: adPerformanceDataIngestedPayload },
  ],
  route: 'standard',
  queue: 'AnalyticsPerformanceProcessingQueue',
  deadLetterQueue: 'AnalyticsPerformanceDLQ',
  topic: 'PerformanceDataTopic',
  filter: { eventType: ['AdPerformanceDataIngestedEvent'] },
  timeoutMs: 120_000,
  retry: laneRetry,
  thresholds: thresholds('high'),
  handlers: [
    {
      name: 'processIngestedPerformanceData',
      service: 'AnalyticsReportingService',
      holds: 'event',
      onPoison: 'release',
      effect: 'state',
      load: async () =>
        (await import('../analytics/process-ingested-performance-data.ts')).processIngestedPerformanceData,
    },
  ],
  example: {
    adNetworkId: 'meta',
    reportDate: '2026-11-22',
    campaignId: 'cmp-1001',
    metricsPayload: { impressions: 1_200, clicks: 45, conversions: 3, spendMicros: 12_340_000, currency: 'EUR' },
    timestamp: '2026-11-23T06:00:00.000Z',
  },
};
