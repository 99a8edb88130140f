import * as cloudwatch from '@pulumi/aws/cloudwatch/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { AlarmDefinition, MetricStat, ResourceReference } from '../../../dashboards/cloudwatch/definition.ts';
import type { AlarmRoutes } from './alarm-routes.ts';
import { Component, type Shared } from './component.ts';

const operators = {
  above: 'GreaterThanThreshold',
  'at-or-above': 'GreaterThanOrEqualToThreshold',
  below: 'LessThanThreshold',
} as const satisfies Record<AlarmDefinition['comparison'], string>;

export type Resolve = (reference: ResourceReference) => pulumi.Output<string>;

/** `dashboards/cloudwatch` says what to watch; here it becomes alarms of CloudWatch, each telling its recipients twice. */
export class Alarms extends Component {
  readonly names: readonly string[];

  constructor(
    name: string,
    { settings }: Shared,
    definitions: readonly AlarmDefinition[],
    routes: AlarmRoutes,
    resolve: Resolve,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Alarms', name, options);
    this.names = definitions.map((alarm) => {
      const topics = alarm.notify.map((recipient) => routes.topics[recipient].arn);
      const physicalName = `${settings.stack}-${alarm.name}`;
      new cloudwatch.MetricAlarm(
        alarm.name,
        {
          name: physicalName,
          alarmDescription: description(alarm),
          comparisonOperator: operators[alarm.comparison],
          threshold: alarm.threshold,
          evaluationPeriods: alarm.periods,
          datapointsToAlarm: alarm.datapoints,
          treatMissingData: alarm.missing,
          metricQueries: alarm.queries.map((query, index) => ({
            id: query.id,
            returnData: index === alarm.queries.length - 1,
            ...('metric' in query
              ? { metric: metricOf(query.metric, resolve) }
              : { expression: query.expression, label: query.label }),
          })),
          alarmActions: topics,
          // Without these PagerDuty and Opsgenie never close what they opened.
          okActions: topics,
          tags: { severity: alarm.severity, runbook: alarm.runbook },
        },
        this.own,
      );
      return physicalName;
    });
    this.registerOutputs();
  }
}

const description = ({ symptom, severity, respond, escalation, runbook }: AlarmDefinition): string =>
  [
    `${severity}: ${symptom}.`,
    `Respond ${respond}. Escalate: ${escalation.join(', then ')}.`,
    `Runbook: ops/runbooks/${runbook}`,
  ].join('\n');

const metricOf = (metric: MetricStat, resolve: Resolve) => ({
  namespace: metric.namespace,
  metricName: metric.name,
  stat: metric.stat,
  period: metric.periodSeconds,
  dimensions: Object.fromEntries(
    Object.entries(metric.dimensions).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : resolve(value),
    ]),
  ),
});
