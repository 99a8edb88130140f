import * as ecs from '@pulumi/aws/ecs/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Names } from '../names.ts';
import { Component, type Shared } from './component.ts';

export class Cluster extends Component {
  readonly cluster: ecs.Cluster;

  constructor(name: string, _shared: Shared, names: Names, options?: pulumi.ComponentResourceOptions) {
    super('Cluster', name, options);
    this.cluster = new ecs.Cluster(
      name,
      // Container Insights counts the running tasks, by which autoscaling divides the backlog.
      { name: names.cluster, settings: [{ name: 'containerInsights', value: 'enabled' }] },
      this.own,
    );
    new ecs.ClusterCapacityProviders(
      name,
      { clusterName: this.cluster.name, capacityProviders: ['FARGATE', 'FARGATE_SPOT'] },
      this.own,
    );
    this.registerOutputs();
  }
}
