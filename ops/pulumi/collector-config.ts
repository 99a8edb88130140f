import { type MetricDefinition, metricNamespace, metrics } from '../../core/runtime/metric-catalogue.ts';

/** Where processes send metrics and workers spans: the collector beside them, in the same task's network. */
export const otlpEndpoint = 'http://127.0.0.1:4318';

/**
 * The OpenTelemetry collector's configuration, as JSON, which is YAML too. Each metric of the catalogue keeps exactly its own
 * dimensions: what the collector adds of its own would be a metric that no alarm watches.
 */
export const collectorConfig = (options: { region: string; logGroup: string }): string =>
  JSON.stringify({
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:4318' } } } },
    processors: {
      resourcedetection: { detectors: ['env', 'ecs'] },
      batch: { timeout: '30s' },
      memory_limiter: { check_interval: '5s', limit_mib: 100 },
    },
    exporters: {
      awsemf: {
        region: options.region,
        namespace: metricNamespace,
        log_group_name: options.logGroup,
        log_stream_name: '{TaskId}',
        dimension_rollup_option: 'NoDimensionRollup',
        resource_to_telemetry_conversion: { enabled: false },
        metric_declarations: declarations(Object.values(metrics)),
      },
      awsxray: { region: options.region, indexed_attributes: ['merchantId', 'eventId', 'eventType', 'outcome'] },
    },
    extensions: { health_check: { endpoint: '127.0.0.1:13133' } },
    service: {
      extensions: ['health_check'],
      telemetry: { logs: { level: 'warn' } },
      pipelines: {
        metrics: {
          receivers: ['otlp'],
          processors: ['memory_limiter', 'resourcedetection', 'batch'],
          exporters: ['awsemf'],
        },
        traces: {
          receivers: ['otlp'],
          processors: ['memory_limiter', 'resourcedetection', 'batch'],
          exporters: ['awsxray'],
        },
      },
    },
  });

const declarations = (all: readonly MetricDefinition[]) =>
  all.map(({ name, dimensions }) => ({
    dimensions: [[...dimensions]],
    metric_name_selectors: [`^${name.replaceAll('.', '\\.')}$`],
  }));
