import * as ec2 from '@pulumi/aws/ec2/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { Component, type Shared } from './component.ts';

/** What processes call without leaving the VPC. Each costs by the hour and zone; traffic through them costs less than NAT. */
const interfaceEndpoints = ['sqs', 'sns', 'ecr.api', 'ecr.dkr', 'logs', 'secretsmanager', 'kms'] as const;
const gatewayEndpoints = ['s3', 'dynamodb'] as const;

/**
 * Three zones, each with a public subnet (load balancer, NAT), a private one (tasks) and an isolated one (stores, no way
 * out). Tasks reach AWS through endpoints and ad networks through NAT.
 */
export class Network extends Component {
  readonly vpc: ec2.Vpc;
  readonly publicSubnets: readonly ec2.Subnet[];
  readonly privateSubnets: readonly ec2.Subnet[];
  readonly isolatedSubnets: readonly ec2.Subnet[];

  constructor(name: string, { settings }: Shared, options?: pulumi.ComponentResourceOptions) {
    super('Network', name, options);
    const { stack, vpcCidr, zones, region, size } = settings;
    const tags = (what: string) => ({ tags: { Name: `${stack}-${what}` } });
    this.vpc = new ec2.Vpc(
      name,
      { cidrBlock: vpcCidr, enableDnsHostnames: true, enableDnsSupport: true, ...tags('vpc') },
      this.own,
    );
    const vpcId = this.vpc.id;
    const [first = '10', second = '40'] = vpcCidr.split('.');
    const subnets = (kind: string, offset: number) =>
      zones.map(
        (availabilityZone, index) =>
          new ec2.Subnet(
            `${name}-${kind}-${index}`,
            {
              vpcId,
              availabilityZone,
              cidrBlock: `${first}.${second}.${offset + index * 16}.0/20`,
              mapPublicIpOnLaunch: false,
              ...tags(`${kind}-${index}`),
            },
            this.own,
          ),
      );
    this.publicSubnets = subnets('public', 0);
    this.privateSubnets = subnets('private', 64);
    this.isolatedSubnets = subnets('isolated', 128);

    const internet = new ec2.InternetGateway(name, { vpcId, ...tags('internet') }, this.own);
    const table = (kind: string) => new ec2.RouteTable(`${name}-${kind}`, { vpcId, ...tags(kind) }, this.own);
    const attach = (kind: string, subnet: ec2.Subnet, index: number, routeTable: ec2.RouteTable) =>
      new ec2.RouteTableAssociation(
        `${name}-${kind}-${index}`,
        { subnetId: subnet.id, routeTableId: routeTable.id },
        this.own,
      );
    const publicTable = table('public');
    new ec2.Route(
      `${name}-public`,
      { routeTableId: publicTable.id, destinationCidrBlock: '0.0.0.0/0', gatewayId: internet.id },
      this.own,
    );
    for (const [index, subnet] of this.publicSubnets.entries()) attach('public', subnet, index, publicTable);

    const translators = this.publicSubnets.slice(0, size.natGateways).map((subnet, index) => {
      const address = new ec2.Eip(`${name}-nat-${index}`, { domain: 'vpc', ...tags(`nat-${index}`) }, this.own);
      return new ec2.NatGateway(
        `${name}-${index}`,
        { subnetId: subnet.id, allocationId: address.id, ...tags(`nat-${index}`) },
        { ...this.own, dependsOn: [internet] },
      );
    });
    const privateTables = this.privateSubnets.map((subnet, index) => {
      const own = table(`private-${index}`);
      const translator = translators[index % translators.length];
      if (translator !== undefined)
        new ec2.Route(
          `${name}-private-${index}`,
          { routeTableId: own.id, destinationCidrBlock: '0.0.0.0/0', natGatewayId: translator.id },
          this.own,
        );
      attach('private', subnet, index, own);
      return own;
    });
    const isolatedTable = table('isolated');
    for (const [index, subnet] of this.isolatedSubnets.entries()) attach('isolated', subnet, index, isolatedTable);

    const endpointGroup = new ec2.SecurityGroup(
      `${name}-endpoints`,
      {
        vpcId,
        description: 'Endpoints of AWS services, for everything in the VPC',
        ingress: [{ protocol: 'tcp', fromPort: 443, toPort: 443, cidrBlocks: [vpcCidr], description: 'HTTPS' }],
        ...tags('endpoints'),
      },
      this.own,
    );
    for (const service of interfaceEndpoints)
      new ec2.VpcEndpoint(
        `${name}-${service.replace('.', '-')}`,
        {
          vpcId,
          vpcEndpointType: 'Interface',
          serviceName: `com.amazonaws.${region}.${service}`,
          subnetIds: this.privateSubnets.map(({ id }) => id),
          securityGroupIds: [endpointGroup.id],
          privateDnsEnabled: true,
          ...tags(service),
        },
        this.own,
      );
    for (const service of gatewayEndpoints)
      new ec2.VpcEndpoint(
        `${name}-${service}`,
        {
          vpcId,
          vpcEndpointType: 'Gateway',
          serviceName: `com.amazonaws.${region}.${service}`,
          routeTableIds: privateTables.map(({ id }) => id),
          ...tags(service),
        },
        this.own,
      );
    // Nothing is to use the default group; without rules of its own here, AWS's lets everything in it talk.
    new ec2.DefaultSecurityGroup(name, { vpcId, ingress: [], egress: [], ...tags('unused') }, this.own);
    this.registerOutputs();
  }
}
