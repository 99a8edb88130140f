import { type Graph, type Resource, ofType, shown } from '../graph.ts';
import { type Check, complain } from './check.ts';

const ANYWHERE = ['0.0.0.0/0', '::/0'];
/** The only way in: the gateway's load balancer. */
const open = new Set(['groups-internet', 'groups-internet-plain']);

export const nothingIsOpen: Check = {
  name: 'only the gateway’s load balancer is open to the internet',
  complaints: (graph) => [
    ...ofType(graph, 'aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule')
      .filter(({ name, inputs }) => !open.has(name) && ANYWHERE.includes(shown(inputs['cidrIpv4'])))
      .map(({ name }) => `${name} lets everybody in`),
    ...ofType(graph, 'aws:ec2/securityGroup:SecurityGroup')
      .filter(({ inputs }) => ANYWHERE.some((cidr) => JSON.stringify(inputs['ingress'] ?? '').includes(cidr)))
      .map(({ name }) => `security group ${name} lets everybody in`),
    ...ofType(graph, 'aws:ecs/service:Service')
      .filter(({ inputs }) => JSON.stringify(inputs['networkConfiguration']).includes('"assignPublicIp":true'))
      .map(({ name }) => `tasks of ${name} have public addresses`),
  ],
};

export const storesAreIsolated: Check = {
  name: 'stores are in subnets without a way out, take connections from tasks only, and have no public address',
  complaints: (graph) => {
    const routed = new Set(
      ofType(graph, 'aws:ec2/route:Route')
        .map(({ inputs }) => shown(inputs['routeTableId']))
        .flatMap((table) =>
          ofType(graph, 'aws:ec2/routeTableAssociation:RouteTableAssociation')
            .filter(({ inputs }) => inputs['routeTableId'] === table)
            .map(({ inputs }) => shown(inputs['subnetId'])),
        ),
    );
    const subnets = graph.filter(({ type }) => type.endsWith(':SubnetGroup'));
    return [
      ...subnets.flatMap(({ name, inputs }) =>
        list(inputs['subnetIds'])
          .filter((subnet) => routed.has(subnet))
          .map((subnet) => `${name} puts a store into ${subnet}, which has a way out`),
      ),
      ...ofType(graph, 'aws:rds/clusterInstance:ClusterInstance')
        .filter(({ inputs }) => inputs['publiclyAccessible'] !== false)
        .map(({ name }) => `${name} has a public address`),
      ...['database', 'cache'].flatMap((store) =>
        rulesInto(graph, `groups-${store}`)
          .filter(({ inputs }) => inputs['referencedSecurityGroupId'] === undefined)
          .map(({ name }) => `${name} lets addresses, not tasks, reach the ${store}`),
      ),
    ];
  },
};

const rulesInto = (graph: Graph, group: string): Resource[] =>
  ofType(graph, 'aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule').filter(
    ({ inputs }) => inputs['securityGroupId'] === group,
  );

const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(shown) : []);

export const threeZones: Check = {
  name: 'subnets of each kind lie in three zones, and their addresses do not overlap',
  complaints: (graph) => {
    const subnets = ofType(graph, 'aws:ec2/subnet:Subnet');
    const blocks = subnets.map(({ inputs }) => shown(inputs['cidrBlock']));
    const kinds = Map.groupBy(subnets, ({ name }) => name.replace(/-\d+$/, ''));
    return [
      ...complain(new Set(blocks).size !== blocks.length, 'two subnets have the same addresses'),
      ...[...kinds]
        .filter(([, own]) => new Set(own.map(({ inputs }) => inputs['availabilityZone'])).size !== 3)
        .map(([kind]) => `${kind} is not in three zones`),
    ];
  },
};

export const endpointsAreThere: Check = {
  name: 'SQS, SNS, DynamoDB, ECR, logs and secrets are reached without leaving the VPC',
  complaints: (graph) => {
    const services = ofType(graph, 'aws:ec2/vpcEndpoint:VpcEndpoint').map(({ inputs }) => shown(inputs['serviceName']));
    return ['sqs', 'sns', 'dynamodb', 's3', 'ecr.api', 'ecr.dkr', 'logs', 'secretsmanager', 'kms']
      .filter((service) => !services.some((name) => name.endsWith(`.${service}`)))
      .map((service) => `there is no endpoint for ${service}`);
  },
};

export const listenersSpeakTls: Check = {
  name: 'load balancers speak TLS 1.2 or newer, redirect the rest, and have a firewall where the internet is',
  complaints: (graph) => [
    ...ofType(graph, 'aws:lb/listener:Listener').flatMap(({ name, inputs }) =>
      inputs['protocol'] === 'HTTPS'
        ? complain(!/TLS13-1-2/.test(shown(inputs['sslPolicy'])), `${name} allows old versions of TLS`)
        : complain(!JSON.stringify(inputs['defaultActions']).includes('HTTP_301'), `${name} serves without TLS`),
    ),
    ...complain(
      ofType(graph, 'aws:wafv2/webAclAssociation:WebAclAssociation').length !== 1,
      'no firewall stands before the gateway',
    ),
    ...ofType(graph, 'aws:lb/loadBalancer:LoadBalancer')
      .filter(({ name, inputs }) => (name === 'console') !== (inputs['internal'] === true))
      .map(({ name }) => `${name}: internal is wrong`),
  ],
};
