import type * as ecs from '@pulumi/aws/ecs/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Topology } from '../../../core/events/topology.ts';
import { ours, theirs } from '../../../dashboards/cloudwatch/definition.ts';
import { Autoscaling } from './autoscaling.ts';
import { Component, type Shared } from './component.ts';
import { type ProcessArgs, containerService, taskDefinition } from './container-service.ts';
import type { Network } from './network.ts';
import type { SecurityGroups } from './security-groups.ts';

export interface WorkerArgs {
  process: ProcessArgs;
  cluster: ecs.Cluster;
  clusterName: string;
  serviceName: string;
  network: Network;
  groups: SecurityGroups;
  topology: Topology;
  rollbackAlarms: readonly string[];
}

const CPU_PERCENT = 65;

/**
 * The fleet. Tasks are added when a queue, or the lanes together, are further behind than a task should be; a task that is
 * told to end drains for up to 110 s and needs no protection from scaling: what it has in hand is over by then, or is put
 * back, and the fence refuses whatever comes later.
 */
export class Worker extends Component {
  readonly service: ecs.Service;

  constructor(name: string, shared: Shared, args: WorkerArgs, options?: pulumi.ComponentResourceOptions) {
    super('Worker', name, options);
    const { size } = shared.settings;
    const definition = taskDefinition(name, shared, args.process, this.own);
    this.service = containerService(
      name,
      definition,
      {
        cluster: args.cluster,
        network: args.network,
        group: args.groups.worker,
        name: args.serviceName,
        tasks: size.worker.min,
        spotShare: size.worker.spotShare,
        rollbackAlarms: args.rollbackAlarms,
      },
      this.own,
    );
    const perTask = size.backlogPerWorker;
    new Autoscaling(
      name,
      {
        cluster: args.cluster,
        service: this.service,
        clusterName: args.clusterName,
        serviceName: args.serviceName,
        min: size.worker.min,
        max: size.worker.max,
        cpuPercent: CPU_PERCENT,
        // A policy of its own for each queue: one can hold ten metrics at most, and the registry more queues than that.
        loads: [
          { name: 'lanes', metric: ours('lanesBacklog', {}, 'Maximum', 60), dimensions: [], perTask },
          ...args.topology.queues.map((queue) => ({
            name: queue.name,
            metric: theirs('AWS/SQS', 'ApproximateNumberOfMessagesVisible', {}, 'Maximum', 60),
            dimensions: [{ name: 'QueueName', value: queue.physicalName }],
            perTask,
          })),
        ],
      },
      this.own,
    );
    this.registerOutputs();
  }
}
