import * as ec2 from '@pulumi/aws/ec2/index.js';
import * as vpcRules from '@pulumi/aws/vpc/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Component, type Shared } from './component.ts';
import type { Network } from './network.ts';

export const ports = { https: 443, gateway: 8080, console: 8080, postgres: 5432, redis: 6379 } as const;

/** Who may open a connection to whom; each rule names a group, only the load balancers' names networks. */
export class SecurityGroups extends Component {
  readonly gatewayBalancer: ec2.SecurityGroup;
  readonly consoleBalancer: ec2.SecurityGroup;
  readonly gateway: ec2.SecurityGroup;
  readonly console: ec2.SecurityGroup;
  readonly worker: ec2.SecurityGroup;
  readonly database: ec2.SecurityGroup;
  readonly cache: ec2.SecurityGroup;

  constructor(name: string, { settings }: Shared, network: Network, options?: pulumi.ComponentResourceOptions) {
    super('SecurityGroups', name, options);
    const group = (what: string, description: string) =>
      new ec2.SecurityGroup(
        `${name}-${what}`,
        { vpcId: network.vpc.id, description, tags: { Name: `${settings.stack}-${what}` } },
        this.own,
      );
    const fromNetwork = (what: string, to: ec2.SecurityGroup, cidrIpv4: string, port: number, description: string) =>
      new vpcRules.SecurityGroupIngressRule(
        `${name}-${what}`,
        { securityGroupId: to.id, cidrIpv4, ipProtocol: 'tcp', fromPort: port, toPort: port, description },
        this.own,
      );
    const allow = (what: string, from: ec2.SecurityGroup, to: ec2.SecurityGroup, port: number) => {
      const rule = { ipProtocol: 'tcp', fromPort: port, toPort: port, description: what };
      new vpcRules.SecurityGroupIngressRule(
        `${name}-${what}-in`,
        { securityGroupId: to.id, referencedSecurityGroupId: from.id, ...rule },
        this.own,
      );
      new vpcRules.SecurityGroupEgressRule(
        `${name}-${what}-out`,
        { securityGroupId: from.id, referencedSecurityGroupId: to.id, ...rule },
        this.own,
      );
    };
    this.gatewayBalancer = group('gateway-balancer', 'Load balancer of the gateway, open to the internet');
    this.consoleBalancer = group('console-balancer', 'Load balancer of the console, for operators');
    this.gateway = group('gateway', 'Gateway tasks');
    this.console = group('console', 'Console tasks');
    this.worker = group('worker', 'Worker and migration tasks: nobody connects to them');
    this.database = group('database', 'Postgres');
    this.cache = group('cache', 'Redis');
    fromNetwork('internet', this.gatewayBalancer, '0.0.0.0/0', ports.https, 'merchants');
    fromNetwork('internet-plain', this.gatewayBalancer, '0.0.0.0/0', 80, 'redirected to HTTPS');
    fromNetwork('operators', this.consoleBalancer, settings.operatorCidr, ports.https, 'operators');
    allow('balancer-gateway', this.gatewayBalancer, this.gateway, ports.gateway);
    allow('balancer-console', this.consoleBalancer, this.console, ports.console);
    for (const [what, tasks] of [
      ['gateway', this.gateway],
      ['console', this.console],
      ['worker', this.worker],
    ] as const) {
      allow(`${what}-database`, tasks, this.database, ports.postgres);
      new vpcRules.SecurityGroupEgressRule(
        `${name}-${what}-https`,
        {
          securityGroupId: tasks.id,
          cidrIpv4: '0.0.0.0/0',
          ipProtocol: 'tcp',
          fromPort: ports.https,
          toPort: ports.https,
          description: 'AWS and, of workers, ad networks',
        },
        this.own,
      );
    }
    allow('worker-cache', this.worker, this.cache, ports.redis);
    allow('console-cache', this.console, this.cache, ports.redis);
    // The console's load balancer exchanges the code at the identity provider itself.
    new vpcRules.SecurityGroupEgressRule(
      `${name}-console-balancer-https`,
      {
        securityGroupId: this.consoleBalancer.id,
        cidrIpv4: '0.0.0.0/0',
        ipProtocol: 'tcp',
        fromPort: ports.https,
        toPort: ports.https,
        description: 'identity provider',
      },
      this.own,
    );
    this.registerOutputs();
  }
}
