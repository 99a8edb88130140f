import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { type Dimensions, type MetricKey, type MetricKeyOfKind, metrics } from './metric-catalogue.ts';
import { type Point, type Series, otlpRequest } from './otlp.ts';
import { reportByOtlp } from './report-by-otlp.ts';

/**
 * Metrics of a process, kept in memory and sent to a collector by OTLP every `everyMs`. What was sent is forgotten: counters
 * and histograms say what was added since. When the collector does not answer, a period's figures are lost, and the
 * process goes on: nothing is kept for it, and nothing waits for it.
 */
export interface Metrics {
  count<K extends MetricKeyOfKind<'counter'>>(key: K, dimensions: Dimensions<K>, by?: number): void;
  gauge<K extends MetricKeyOfKind<'gauge'>>(key: K, dimensions: Dimensions<K>, value: number): void;
  /** In the metric's unit. */
  record<K extends MetricKeyOfKind<'histogram'>>(key: K, dimensions: Dimensions<K>, value: number): void;
  start(): void;
  /** Sends what is left. */
  stop(): Promise<void>;
}

export interface MetricsOptions {
  /** Base URL of an OTLP receiver; undefined: nothing is kept or sent. */
  endpoint: string | undefined;
  /** Name of the process. */
  service: string;
  clock: Clock;
  log: Log;
  everyMs?: number;
  /** Called before each report, to set gauges. */
  observe?: () => void;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const { endpoint, service, clock, log, everyMs = 15_000 } = options;
  if (endpoint === undefined) return silentMetrics;
  let series = new Map<string, Series>();
  let since = clock.now();

  /** The point of a metric and its dimensions, made by `fresh` when there is none since the last report. */
  const pointOf = (key: MetricKey, dimensions: Readonly<Record<string, string>>, fresh: Point): Point => {
    const id = JSON.stringify([key, dimensions]);
    const known = series.get(id);
    if (known !== undefined) return known.point;
    series.set(id, { metric: metrics[key], dimensions, point: fresh });
    return fresh;
  };

  const gather = () => {
    options.observe?.();
    const [reported, from] = [[...series.values()], since];
    since = clock.now();
    series = new Map();
    return reported.length === 0 ? undefined : otlpRequest(service, reported, from, since);
  };

  return {
    count(key, dimensions, by = 1) {
      const point = pointOf(key, dimensions, { kind: 'sum', value: 0 });
      if (point.kind === 'sum') point.value += by;
    },
    gauge(key, dimensions, value) {
      const point = pointOf(key, dimensions, { kind: 'gauge', value });
      if (point.kind === 'gauge') point.value = value;
    },
    record(key, dimensions, value) {
      const point = pointOf(key, dimensions, {
        kind: 'histogram',
        values: new Map(),
        count: 0,
        sum: 0,
        min: value,
        max: value,
      });
      if (point.kind !== 'histogram') return;
      const bucket = bucketOf(value);
      point.values.set(bucket, (point.values.get(bucket) ?? 0) + 1);
      point.count += 1;
      point.sum += value;
      point.min = Math.min(point.min, value);
      point.max = Math.max(point.max, value);
    },
    ...reportByOtlp({ endpoint, signal: 'metrics', clock, log, everyMs, gather }),
  };
}

/** Buckets grow by 2^(1/4), so that a percentile is within a tenth of the true one. Below 1 everything counts as 1. */
const SCALE = 2;
const bucketOf = (value: number): number => Math.ceil(Math.log2(Math.max(1, value)) * 2 ** SCALE) - 1;

export const silentMetrics: Metrics = {
  count: () => undefined,
  gauge: () => undefined,
  record: () => undefined,
  start: () => undefined,
  stop: () => Promise.resolve(),
};
