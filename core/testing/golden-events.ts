import { currentVersion, registry } from '../events/registry.ts';

export interface GoldenOptions extends Record<string, unknown> {
  merchantId?: string;
  eventId?: string;
  /** Numbers the events of a sequence: each happens a second after the one before and says something else. */
  ordinal?: number;
  /** Replaces fields of the payload. */
  payload?: Record<string, unknown>;
}

const START = Date.parse('2026-11-23T10:15:00.000Z');

/**
 * A valid message of a registered event as its producer would send it, the same for the same arguments. Options that are
 * not named here replace fields of the envelope.
 */
export function goldenEvent(eventType: string, options: GoldenOptions = {}): Record<string, unknown> {
  const definition = registry.get(eventType);
  if (definition === undefined) throw new Error(`${eventType} is not registered`);
  const {
    merchantId = 'shop-1',
    ordinal = 1,
    eventId = `golden-${eventType}-${ordinal}`,
    payload,
    ...envelope
  } = options;
  const happened = START + ordinal * 1_000;
  const { example } = definition;
  return {
    eventId,
    eventType,
    eventVersion: currentVersion(definition).version,
    timestamp: new Date(happened + 250).toISOString(),
    sourceService: definition.sourceContext,
    correlationId: `cor-${eventId}`,
    merchantId,
    ...envelope,
    payload: {
      ...example,
      // An envelope and a payload that name different merchants are refused.
      ...('merchantId' in example ? { merchantId } : {}),
      ...('timestamp' in example ? { timestamp: new Date(happened).toISOString() } : {}),
      ...variations[eventType]?.(ordinal),
      ...payload,
    },
  };
}

/** Events without an entry differ in their times only. */
const variations: Readonly<Record<string, (ordinal: number) => Record<string, unknown>>> = {
  ProductCoreDataUpdatedEvent: (ordinal) => ({
    operationType: ordinal === 1 ? 'create' : 'update',
    changedAttributes: {
      title: `Trail shoe ${ordinal}`,
      priceMinor: 8_000 + ordinal,
      currency: 'EUR',
      availability: 'in_stock',
    },
  }),
  CampaignStateChangeRequestedEvent: (ordinal) => ({ requestedState: ordinal % 2 === 1 ? 'active' : 'paused' }),
  AdPerformanceDataIngestedEvent: (ordinal) => ({
    metricsPayload: {
      impressions: 1_000 + ordinal,
      clicks: 40 + ordinal,
      conversions: 1.5,
      spendMicros: 12_000_000 + ordinal,
      currency: 'EUR',
    },
  }),
};
