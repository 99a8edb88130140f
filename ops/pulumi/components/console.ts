import * as lb from '@pulumi/aws/lb/index.js';
import type * as ecs from '@pulumi/aws/ecs/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Balancer } from './balancer.ts';
import type { Buckets } from './buckets.ts';
import { Component, type Shared } from './component.ts';
import { type ProcessArgs, containerService, taskDefinition } from './container-service.ts';
import type { Network } from './network.ts';
import { type SecurityGroups, ports } from './security-groups.ts';

export interface ConsoleArgs {
  process: ProcessArgs;
  cluster: ecs.Cluster;
  serviceName: string;
  network: Network;
  groups: SecurityGroups;
  buckets: Buckets;
}

/** A working day, then operators log in again. */
const SESSION_SECONDS = 28_800;

/** The operators' console: not reachable from the internet, and the load balancer asks the identity provider first. */
export class Console extends Component {
  readonly service: ecs.Service;

  constructor(name: string, shared: Shared, args: ConsoleArgs, options?: pulumi.ComponentResourceOptions) {
    super('Console', name, options);
    const { settings } = shared;
    const domain = `console.${settings.domain}`;
    const balancer = new Balancer(
      name,
      shared,
      {
        purpose: 'console',
        domain,
        internal: true,
        port: ports.console,
        network: args.network,
        group: args.groups.consoleBalancer,
        buckets: args.buckets,
      },
      this.own,
    );
    const [target] = balancer.targets;
    const rule = new lb.ListenerRule(
      name,
      {
        listenerArn: balancer.listener.arn,
        priority: 100,
        conditions: [{ hostHeader: { values: [domain] } }],
        actions: [
          {
            type: 'authenticate-oidc',
            order: 1,
            authenticateOidc: {
              issuer: settings.oidcIssuer,
              authorizationEndpoint: settings.oidcAuthorizationEndpoint,
              tokenEndpoint: settings.oidcTokenEndpoint,
              userInfoEndpoint: settings.oidcUserInfoEndpoint,
              clientId: settings.oidcClientId,
              clientSecret: settings.secrets.oidcClientSecret,
              onUnauthenticatedRequest: 'authenticate',
              sessionTimeout: SESSION_SECONDS,
            },
          },
          { type: 'forward', order: 2, targetGroupArn: target.arn },
        ],
      },
      this.own,
    );
    const definition = taskDefinition(name, shared, args.process, this.own);
    this.service = containerService(
      name,
      definition,
      {
        cluster: args.cluster,
        network: args.network,
        group: args.groups.console,
        name: args.serviceName,
        tasks: 1,
        spotShare: 0,
        rollbackAlarms: [],
        loadBalancers: [{ targetGroupArn: target.arn, containerName: 'console', containerPort: ports.console }],
      },
      { ...this.own, dependsOn: [balancer, rule] },
    );
    this.registerOutputs();
  }
}
