import type { MetricDefinition } from './metric-catalogue.ts';
import type { Span } from './spans.ts';

/**
 * OpenTelemetry's protocol in JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp): as much as counters, gauges,
 * exponential histograms and spans take. 64-bit numbers are text there.
 */
export type Point =
  | { kind: 'sum'; value: number }
  | { kind: 'gauge'; value: number }
  | { kind: 'histogram'; values: Map<number, number>; count: number; sum: number; min: number; max: number };

export interface Series {
  metric: MetricDefinition;
  dimensions: Readonly<Record<string, string>>;
  point: Point;
}

const DELTA = 1;
/** As in metrics.ts, which puts values into buckets. */
const SCALE = 2;

const attributes = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));

const nanoseconds = (epochMs: number): string => `${epochMs}000000`;

export const otlpRequest = (service: string, series: readonly Series[], fromMs: number, toMs: number) => ({
  resourceMetrics: [
    {
      resource: { attributes: attributes({ 'service.name': service }) },
      scopeMetrics: [
        {
          scope: { name: 'laneway' },
          metrics: [...Map.groupBy(series, ({ metric }) => metric)].map(([{ name, unit }, own]) => ({
            name,
            unit,
            ...dataOf(own, { startTimeUnixNano: nanoseconds(fromMs), timeUnixNano: nanoseconds(toMs) }),
          })),
        },
      ],
    },
  ],
});

interface Times {
  startTimeUnixNano: string;
  timeUnixNano: string;
}

/** All series of one metric are of its kind. */
function dataOf(series: readonly Series[], times: Times) {
  const dataPoints = series.map(({ dimensions, point }) => ({
    attributes: attributes(dimensions),
    ...times,
    ...(point.kind === 'histogram' ? histogram(point) : { asDouble: point.value }),
  }));
  const kind = series[0]?.point.kind;
  if (kind === 'sum') return { sum: { aggregationTemporality: DELTA, isMonotonic: true, dataPoints } };
  if (kind === 'histogram') return { exponentialHistogram: { aggregationTemporality: DELTA, dataPoints } };
  return { gauge: { dataPoints } };
}

function histogram({ values, count, sum, min, max }: Extract<Point, { kind: 'histogram' }>) {
  const offset = Math.min(...values.keys());
  const length = Math.max(...values.keys()) - offset + 1;
  const bucketCounts = Array.from({ length }, (_, index) => String(values.get(offset + index) ?? 0));
  return { count: String(count), sum, min, max, scale: SCALE, zeroCount: '0', positive: { offset, bucketCounts } };
}

/** A consumer of messages, and how it ended. */
const CONSUMER = 5;
const ERROR = 2;

export const otlpSpans = (service: string, spans: readonly (Span & { id: string })[]) => ({
  resourceSpans: [
    {
      resource: { attributes: attributes({ 'service.name': service }) },
      scopeSpans: [
        {
          scope: { name: 'laneway' },
          spans: spans.map((span) => ({
            traceId: span.traceparent.slice(3, 35),
            parentSpanId: span.traceparent.slice(36, 52),
            spanId: span.id,
            name: span.name,
            kind: CONSUMER,
            startTimeUnixNano: nanoseconds(span.fromMs),
            endTimeUnixNano: nanoseconds(span.toMs),
            attributes: attributes(span.attributes),
            ...(span.failed ? { status: { code: ERROR } } : {}),
          })),
        },
      ],
    },
  ],
});
