import * as iam from '@pulumi/aws/iam/index.js';
import * as lb from '@pulumi/aws/lb/index.js';
import type * as ecs from '@pulumi/aws/ecs/index.js';
import type * as ec2 from '@pulumi/aws/ec2/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Autoscaling } from './autoscaling.ts';
import { Balancer } from './balancer.ts';
import type { Buckets } from './buckets.ts';
import { Component, type Shared, json } from './component.ts';
import { type ProcessArgs, containerService, taskDefinition } from './container-service.ts';
import { Firewall } from './firewall.ts';
import type { Migrations } from './migrations.ts';
import type { Network } from './network.ts';
import { type PolicyDocument, assumedBy } from './policy.ts';
import { type SecurityGroups, ports } from './security-groups.ts';

export interface GatewayArgs {
  process: ProcessArgs;
  cluster: ecs.Cluster;
  clusterName: string;
  serviceName: string;
  network: Network;
  groups: SecurityGroups;
  buckets: Buckets;
  migrations: Migrations;
  rollbackAlarms: readonly string[];
}

/** What one task answers without its latency rising: assumed with a wide margin, not measured. */
const REQUESTS_PER_TASK_AND_MINUTE = 6_000;
const CPU_PERCENT = 60;

/** The load balancer in front of the gateway, before the gateway itself, since alarms and panels name it. */
export const gatewayBalancer = (
  name: string,
  shared: Shared,
  parts: { network: Network; group: ec2.SecurityGroup; buckets: Buckets },
  options?: pulumi.ComponentResourceOptions,
): Balancer =>
  new Balancer(
    name,
    shared,
    { purpose: 'gateway', domain: shared.settings.domain, internal: false, port: ports.gateway, ...parts },
    options,
  );

/**
 * The merchants' API. A rollout migrates the database first, then sends a tenth of the traffic to the new tasks, watches the
 * alarms, and only then the rest; whatever goes wrong takes it back.
 */
export class Gateway extends Component {
  readonly service: ecs.Service;

  constructor(
    name: string,
    shared: Shared,
    balancer: Balancer,
    args: GatewayArgs,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Gateway', name, options);
    const { settings, partition } = shared;
    const { stack, size, environment } = settings;
    const [blue, green] = balancer.targets;
    const rule = new lb.ListenerRule(
      name,
      {
        listenerArn: balancer.listener.arn,
        priority: 100,
        conditions: [{ hostHeader: { values: [settings.domain] } }],
        actions: [
          {
            type: 'forward',
            forward: {
              targetGroups: [
                { arn: blue.arn, weight: 100 },
                { arn: green.arn, weight: 0 },
              ],
            },
          },
        ],
      },
      // A rollout moves the weights.
      { ...this.own, ignoreChanges: ['actions'] },
    );
    const mover = new iam.Role(
      `${name}-balancing`,
      {
        name: `${stack}-gateway-balancing`,
        assumeRolePolicy: json<PolicyDocument>(assumedBy('ecs.amazonaws.com')),
        managedPolicyArns: [`arn:${partition}:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers`],
      },
      this.own,
    );
    new Firewall(name, shared, balancer.balancer.arn, this.own);
    const definition = taskDefinition(name, shared, args.process, this.own);
    const canary = environment === 'production';
    this.service = containerService(
      name,
      definition,
      {
        cluster: args.cluster,
        network: args.network,
        group: args.groups.gateway,
        name: args.serviceName,
        tasks: size.gateway.min,
        spotShare: 0,
        rollbackAlarms: args.rollbackAlarms,
        deployment: {
          strategy: canary ? 'CANARY' : 'BLUE_GREEN',
          bakeTimeInMinutes: canary ? '10' : '2',
          ...(canary ? { canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: '10' } } : {}),
          lifecycleHooks: [args.migrations.hook],
        },
        loadBalancers: [
          {
            targetGroupArn: blue.arn,
            containerName: 'gateway',
            containerPort: ports.gateway,
            advancedConfiguration: {
              alternateTargetGroupArn: green.arn,
              productionListenerRule: rule.arn,
              roleArn: mover.arn,
            },
          },
        ],
      },
      { ...this.own, dependsOn: [balancer, rule, args.migrations] },
    );
    new Autoscaling(
      name,
      {
        cluster: args.cluster,
        service: this.service,
        clusterName: args.clusterName,
        serviceName: args.serviceName,
        min: size.gateway.min,
        max: size.gateway.max,
        cpuPercent: CPU_PERCENT,
        // Over the load balancer, not over one target group: a rollout swaps which of the two serves.
        loads: [
          {
            name: 'requests',
            metric: { namespace: 'AWS/ApplicationELB', name: 'RequestCount', stat: 'Sum', periodSeconds: 60 },
            dimensions: [{ name: 'LoadBalancer', value: balancer.balancer.arnSuffix }],
            perTask: REQUESTS_PER_TASK_AND_MINUTE,
          },
        ],
      },
      this.own,
    );
    this.registerOutputs();
  }
}
