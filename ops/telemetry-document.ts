import { type MetricDefinition, metricNamespace, metrics } from '../core/runtime/metric-catalogue.ts';

/** docs/telemetry.md */
export function telemetryDocument(): string {
  const all: readonly MetricDefinition[] = Object.values(metrics);
  return [
    '# Telemetry',
    '',
    'Made from `core/runtime/metric-catalogue.ts` by `node ops/telemetry.ts`; do not edit. Workers send these by OTLP to the',
    `collector beside them when \`LANEWAY_OTLP_ENDPOINT\` is set; it brings them to CloudWatch under \`${metricNamespace}\`.`,
    '',
    '| metric | kind | unit | dimensions | what it says |',
    '| --- | --- | --- | --- | --- |',
    ...all.map(
      ({ name, kind, unit, dimensions, meaning }) =>
        `| \`${name}\` | ${kind} | ${unit} | ${dimensions.join(', ')} | ${meaning} |`,
    ),
    '',
    'Workers also send a span for each pair of event and handler that they settled, named after the handler, from the emission of the',
    'event to the commit, with `merchantId`, `eventId`, `eventType` and `outcome`: of one trace of a hundred, and of all that ended dead.',
    'The collector brings them to X-Ray.',
    '',
  ].join('\n');
}
