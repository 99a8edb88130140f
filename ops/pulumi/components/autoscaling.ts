import * as appautoscaling from '@pulumi/aws/appautoscaling/index.js';
import type * as ecs from '@pulumi/aws/ecs/index.js';
import * as pulumi from '@pulumi/pulumi';
import type { MetricStat } from '../../../dashboards/cloudwatch/definition.ts';
import { Component } from './component.ts';

export interface ScalingArgs {
  cluster: ecs.Cluster;
  service: ecs.Service;
  /** Physical names, as Container Insights has them. */
  clusterName: string;
  serviceName: string;
  min: number;
  max: number;
  cpuPercent: number;
  /** Each adds tasks as soon as it is above `perTask` a task; tasks go once all are below. */
  loads: readonly { name: string; metric: Omit<MetricStat, 'dimensions'>; dimensions: Dimension[]; perTask: number }[];
}

interface Dimension {
  name: string;
  value: pulumi.Input<string>;
}

/**
 * Tasks by load: target tracking on a load divided by the tasks that run. A division by no task at all would be no figure,
 * and a service at zero would stay there.
 */
export class Autoscaling extends Component {
  constructor(name: string, args: ScalingArgs, options?: pulumi.ComponentResourceOptions) {
    super('Autoscaling', name, options);
    const target = new appautoscaling.Target(
      name,
      {
        serviceNamespace: 'ecs',
        scalableDimension: 'ecs:service:DesiredCount',
        resourceId: pulumi.interpolate`service/${args.cluster.name}/${args.service.name}`,
        minCapacity: args.min,
        maxCapacity: args.max,
      },
      this.own,
    );
    const policy = (
      what: string,
      configuration: appautoscaling.PolicyArgs['targetTrackingScalingPolicyConfiguration'],
    ): void => {
      new appautoscaling.Policy(
        `${name}-${what}`,
        {
          name: `${args.serviceName}-${what}`,
          policyType: 'TargetTrackingScaling',
          serviceNamespace: target.serviceNamespace,
          scalableDimension: target.scalableDimension,
          resourceId: target.resourceId,
          targetTrackingScalingPolicyConfiguration: configuration,
        },
        this.own,
      );
    };
    const cooldowns = { scaleOutCooldown: 30, scaleInCooldown: 300 };
    policy('cpu', {
      targetValue: args.cpuPercent,
      ...cooldowns,
      predefinedMetricSpecification: { predefinedMetricType: 'ECSServiceAverageCPUUtilization' },
    });
    for (const load of args.loads)
      policy(load.name, {
        targetValue: load.perTask,
        ...cooldowns,
        customizedMetricSpecification: {
          metrics: [
            {
              id: 'load',
              returnData: false,
              metricStat: {
                stat: load.metric.stat,
                metric: {
                  namespace: load.metric.namespace,
                  metricName: load.metric.name,
                  dimensions: load.dimensions,
                },
              },
            },
            {
              id: 'tasks',
              returnData: false,
              metricStat: {
                stat: 'Average',
                metric: {
                  namespace: 'ECS/ContainerInsights',
                  metricName: 'RunningTaskCount',
                  dimensions: [
                    { name: 'ClusterName', value: args.clusterName },
                    { name: 'ServiceName', value: args.serviceName },
                  ],
                },
              },
            },
            {
              id: 'each',
              returnData: true,
              label: `${load.name} per task`,
              expression: 'load / IF(tasks > 0, tasks, 1)',
            },
          ],
        },
      });
    this.registerOutputs();
  }
}
