import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildEvent } from './build.ts';
import { currentVersion, registry } from './registry.ts';

/** What is wrong with the example of an event when a field says something else. */
const faultOf = (eventType: string, change: (example: Record<string, unknown>) => Record<string, unknown>) => {
  const definition = registry.get(eventType);
  if (definition === undefined) throw new Error(`there is no ${eventType}`);
  const example = structuredClone(definition.example) as Record<string, unknown>;
  const payload = change(example);
  const ids = { eventId: 'e-1', eventType, merchantId: 'shop-1', correlationId: 'c-1', traceparent: 't' };
  const [issue] = currentVersion(definition).schema.safeParse(payload).error?.issues ?? [];
  if (issue === undefined) buildEvent(registry, { ...ids, timestamp: '2026-11-23T10:15:00.000Z', payload });
  return issue === undefined ? undefined : `${issue.path.join('.')} ${issue.message}`;
};
const withMetrics = (metrics: Record<string, unknown>) =>
  faultOf('AdPerformanceDataIngestedEvent', (example) => ({
    ...example,
    metricsPayload: { ...(example['metricsPayload'] as object), ...metrics },
  }));
const withFields = (eventType: string, fields: Record<string, unknown>) =>
  faultOf(eventType, (example) => ({ ...example, ...fields }));

test('figures whose sums would leave what the database adds up are refused, the largest that can happen are not', () => {
  const figure = 'must be at most 1,000,000,000,000';
  assert.is(withMetrics({ conversions: 1.7e308 }), `metricsPayload.conversions ${figure}`);
  assert.is(withMetrics({ impressions: 1e12 + 1 }), `metricsPayload.impressions ${figure}`);
  assert.is(withMetrics({ clicks: Number.MAX_SAFE_INTEGER }), `metricsPayload.clicks ${figure}`);
  const micros = 'must be at most 1,000,000,000,000,000';
  assert.is(withMetrics({ spendMicros: 1e15 + 1 }), `metricsPayload.spendMicros ${micros}`);
  assert.is(withMetrics({ conversionValueMicros: 1e15 + 1 }), `metricsPayload.conversionValueMicros ${micros}`);
  assert.is(withMetrics({ impressions: 1e12, clicks: 1e12, conversions: 1e12, spendMicros: 1e15 }), undefined);

  const order = 'OrderDataAttributedToAdEvent';
  assert.is(withFields(order, { totalMinor: 1e12 + 1 }), `totalMinor ${figure}`);
  const discounts = [{ offerId: 'o-1', amountMinor: 1e12 + 1 }];
  assert.is(withFields(order, { discounts }), `discounts.0.amountMinor ${figure}`);
  assert.is(withFields(order, { totalMinor: 1e12 }), undefined);
  const conversion = 'AffiliateConversionAttributionRequiredEvent';
  assert.is(withFields(conversion, { amountMinor: 1e12 + 1 }), `amountMinor ${figure}`);
});

test.run();
