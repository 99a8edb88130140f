import * as lb from '@pulumi/aws/lb/index.js';
import * as route53 from '@pulumi/aws/route53/index.js';
import type * as ec2 from '@pulumi/aws/ec2/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Buckets } from './buckets.ts';
import { Certificate } from './certificate.ts';
import { Component, type Shared } from './component.ts';
import type { Network } from './network.ts';

export interface BalancerArgs {
  /** Which load balancer of the stack. */
  purpose: 'gateway' | 'console';
  domain: string;
  internal: boolean;
  port: number;
  network: Network;
  group: ec2.SecurityGroup;
  buckets: Buckets;
}

/** An HTTPS load balancer under a name of ours, with a listener that answers 404 until a rule says otherwise. */
export class Balancer extends Component {
  readonly balancer: lb.LoadBalancer;
  readonly listener: lb.Listener;
  /** Two, so that a rollout can fill one while the other serves. */
  readonly targets: readonly [lb.TargetGroup, lb.TargetGroup];

  constructor(name: string, shared: Shared, args: BalancerArgs, options?: pulumi.ComponentResourceOptions) {
    super('Balancer', name, options);
    const { settings } = shared;
    const { stack, size, hostedZoneId } = settings;
    const { purpose, network, group, buckets, port } = args;
    this.balancer = new lb.LoadBalancer(
      name,
      {
        name: `${stack}-${purpose}`,
        loadBalancerType: 'application',
        internal: args.internal,
        subnets: (args.internal ? network.privateSubnets : network.publicSubnets).map(({ id }) => id),
        securityGroups: [group.id],
        enableDeletionProtection: size.protectsData,
        dropInvalidHeaderFields: true,
        desyncMitigationMode: 'strictest',
        // Longer than a request may take, or the balancer would answer for the gateway.
        idleTimeout: 30,
        accessLogs: { enabled: true, bucket: buckets.accessLogs.id, prefix: purpose },
      },
      { ...this.own, dependsOn: [buckets] },
    );
    const target = (color: 'blue' | 'green') =>
      new lb.TargetGroup(
        `${name}-${color}`,
        {
          name: `${stack}-${purpose}-${color}`,
          vpcId: network.vpc.id,
          targetType: 'ip',
          protocol: 'HTTP',
          port,
          // What a request may take, and a little: then the task is told to end.
          deregistrationDelay: 20,
          healthCheck: { path: '/readyz', matcher: '200', interval: 10, timeout: 5, healthyThreshold: 2 },
        },
        this.own,
      );
    this.targets = [target('blue'), target('green')];
    const certificate = new Certificate(name, shared, args.domain, this.own);
    this.listener = new lb.Listener(
      name,
      {
        loadBalancerArn: this.balancer.arn,
        port: 443,
        protocol: 'HTTPS',
        sslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
        certificateArn: certificate.arn,
        defaultActions: [
          {
            type: 'fixed-response',
            fixedResponse: { statusCode: '404', contentType: 'text/plain', messageBody: 'not found' },
          },
        ],
      },
      this.own,
    );
    if (!args.internal)
      new lb.Listener(
        `${name}-plain`,
        {
          loadBalancerArn: this.balancer.arn,
          port: 80,
          protocol: 'HTTP',
          defaultActions: [{ type: 'redirect', redirect: { protocol: 'HTTPS', port: '443', statusCode: 'HTTP_301' } }],
        },
        this.own,
      );
    new route53.Record(
      name,
      {
        zoneId: hostedZoneId,
        name: args.domain,
        type: 'A',
        aliases: [{ name: this.balancer.dnsName, zoneId: this.balancer.zoneId, evaluateTargetHealth: true }],
      },
      this.own,
    );
    this.registerOutputs();
  }
}
