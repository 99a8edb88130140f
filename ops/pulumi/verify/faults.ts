import type { Graph } from './graph.ts';
import { isSecret } from './graph.ts';

/**
 * Mistakes that somebody could make in the program, each seeded into what a run of it declared, to see that a check complains.
 * The name of the complaint's check is part of it: a mistake that only trips another check by chance would not be covered.
 */
export interface GraphFault {
  mistake: string;
  /** Part of the name of the check that must complain. */
  caughtBy: string;
  seed: Seed;
}

interface Seed {
  type: string;
  name: string;
  /** Changes a copy of the resource's inputs. */
  change: (inputs: Record<string, unknown>) => void;
}

const at = (type: string, name: string, change: Seed['change']): Seed => ({ type, name, change });

/** The graph with the mistake in it. Throws when the resource is not there or does not change. */
export function seed(graph: Graph, { mistake, seed: { type, name, change } }: GraphFault): Graph {
  let changed = false;
  const seeded = graph.map((resource) => {
    if (resource.type !== type || resource.name !== name) return resource;
    const inputs: Record<string, unknown> = structuredClone(resource.inputs);
    change(inputs);
    changed = JSON.stringify(inputs) !== JSON.stringify(resource.inputs);
    return { ...resource, inputs };
  });
  if (!changed) throw new Error(`"${mistake}" changes nothing: is there still a ${type} ${name}?`);
  return seeded;
}

const replaced = (key: string, from: string | RegExp, to: string) => (inputs: Record<string, unknown>) => {
  const before = inputs[key];
  if (typeof before !== 'string') throw new Error(`${key} is not text: the fault was not seeded`);
  inputs[key] = before.replace(from, to);
};

const set = (values: Record<string, unknown>) => (inputs: Record<string, unknown>) =>
  void Object.assign(inputs, values);

const QUEUE = 'aws:sqs/queue:Queue';
const POLICY = 'aws:iam/rolePolicy:RolePolicy';
const TASK = 'aws:ecs/taskDefinition:TaskDefinition';
const ALARM = 'aws:cloudwatch/metricAlarm:MetricAlarm';

export const graphFaults: readonly GraphFault[] = [
  {
    mistake: 'a FIFO queue whose name does not end in .fifo',
    caughtBy: 'every queue of the registry',
    seed: at(QUEUE, 'CampaignEventsQueue', set({ name: 'laneway-production-CampaignEventsQueue' })),
  },
  {
    mistake: 'a FIFO queue at low throughput',
    caughtBy: 'FIFO at high throughput',
    seed: at(QUEUE, 'CampaignEventsQueue', set({ fifoThroughputLimit: 'perQueue' })),
  },
  {
    mistake: 'a queue without its dead-letter queue',
    caughtBy: 'goes to its own dead-letter queue',
    seed: at(QUEUE, 'CampaignEventsQueue', (inputs) => delete inputs['redrivePolicy']),
  },
  {
    mistake: 'a queue that gives up after three receives',
    caughtBy: 'goes to its own dead-letter queue',
    seed: at(QUEUE, 'CampaignEventsQueue', replaced('redrivePolicy', '"maxReceiveCount":1000', '"maxReceiveCount":3')),
  },
  {
    mistake: 'a dead-letter queue that forgets after four days',
    caughtBy: 'dead-letter queues for 14',
    seed: at(QUEUE, 'CampaignEventsDLQ', set({ messageRetentionSeconds: 345_600 })),
  },
  {
    mistake: 'a subscription that wraps messages',
    caughtBy: 'each subscription of the registry',
    seed: at(
      'aws:sns/topicSubscription:TopicSubscription',
      'AnalyticsPerformanceProcessingQueue',
      set({ rawMessageDelivery: false }),
    ),
  },
  {
    mistake: 'a queue that its topic may not send to',
    caughtBy: 'each subscription of the registry',
    seed: at(
      'aws:sqs/queuePolicy:QueuePolicy',
      'AnalyticsPerformanceProcessingQueue',
      replaced('policy', 'sns.amazonaws.com', 'ses.amazonaws.com'),
    ),
  },
  {
    mistake: 'a FIFO topic for alarms',
    caughtBy: 'topics of alarms are standard',
    seed: at('aws:sns/topic:Topic', 'alarms-on-call', set({ fifoTopic: true })),
  },
  {
    mistake: 'a queue that is not encrypted',
    caughtBy: 'encrypted with a key of ours',
    seed: at(QUEUE, 'CampaignEventsQueue', (inputs) => delete inputs['kmsMasterKeyId']),
  },
  {
    mistake: 'a key that SNS may not use',
    caughtBy: 'may use the key of queues and topics',
    seed: at('aws:kms/key:Key', 'keys-messages', replaced('policy', 'sns.amazonaws.com', 'ses.amazonaws.com')),
  },
  {
    mistake: 'a key that CloudTrail may not look at',
    caughtBy: 'CloudWatch Logs and CloudTrail may use the key',
    seed: at('aws:kms/key:Key', 'keys-data', replaced('policy', /"kms:DescribeKey"/g, '"kms:ListAliases"')),
  },
  {
    mistake: 'a bucket whose name somebody else in AWS may have',
    caughtBy: 'names of buckets are ours alone',
    seed: at('aws:s3/bucket:Bucket', 'buckets-archive', set({ bucket: 'laneway-production-archive' })),
  },
  {
    mistake: 'an alarm over one of the two groups of targets that rollouts swap',
    caughtBy: 'watches it with its other one',
    seed: at(ALARM, 'gateway-unhealthy', (inputs) => {
      const queries = inputs['metricQueries'];
      if (Array.isArray(queries)) inputs['metricQueries'] = queries.slice(0, 1);
    }),
  },
  {
    mistake: 'a secret that is not marked as one',
    caughtBy: 'secrets are marked as secrets',
    seed: at('aws:sns/topicSubscription:TopicSubscription', 'alarms-pagerduty', (inputs) => {
      const endpoint = inputs['endpoint'];
      if (isSecret(endpoint)) inputs['endpoint'] = endpoint.value;
    }),
  },
  {
    mistake: 'a bucket that can be made public',
    caughtBy: 'every bucket refuses the public',
    seed: at(
      'aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock',
      'buckets-dead-letters',
      set({ blockPublicPolicy: false }),
    ),
  },
  {
    mistake: 'an audit archive that can be deleted',
    caughtBy: 'audit archive cannot be changed',
    seed: at('aws:s3/bucket:Bucket', 'buckets-audit', set({ objectLockEnabled: false })),
  },
  {
    mistake: 'a security group that lets everybody reach Postgres',
    caughtBy: 'only the gateway’s load balancer',
    seed: at('aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule', 'groups-worker-database-in', (inputs) => {
      delete inputs['referencedSecurityGroupId'];
      inputs['cidrIpv4'] = '0.0.0.0/0';
    }),
  },
  {
    mistake: 'a database with a public address',
    caughtBy: 'stores are in subnets without a way out',
    seed: at('aws:rds/clusterInstance:ClusterInstance', 'database-0', set({ publiclyAccessible: true })),
  },
  {
    mistake: 'a database in subnets that reach the internet',
    caughtBy: 'stores are in subnets without a way out',
    seed: at('aws:rds/subnetGroup:SubnetGroup', 'database', set({ subnetIds: ['network-private-0'] })),
  },
  {
    mistake: 'two subnets in one zone',
    caughtBy: 'lie in three zones',
    seed: at('aws:ec2/subnet:Subnet', 'network-private-1', set({ availabilityZone: 'eu-central-1a' })),
  },
  {
    mistake: 'no endpoint for SQS',
    caughtBy: 'reached without leaving the VPC',
    seed: at('aws:ec2/vpcEndpoint:VpcEndpoint', 'network-sqs', set({ serviceName: 'com.amazonaws.eu-central-1.sqss' })),
  },
  {
    mistake: 'a load balancer that speaks TLS 1.0',
    caughtBy: 'load balancers speak TLS 1.2',
    seed: at('aws:lb/listener:Listener', 'gateway', set({ sslPolicy: 'ELBSecurityPolicy-2016-08' })),
  },
  {
    mistake: 'a wildcard action',
    caughtBy: 'no policy says *',
    seed: at(POLICY, 'roles-worker-task', replaced('policy', '"sns:Publish"', '"sns:*"')),
  },
  {
    mistake: 'a wildcard resource',
    caughtBy: 'no policy says *',
    seed: at(POLICY, 'roles-worker-task', replaced('policy', /"Resource":\[[^\]]*claims"\]/, '"Resource":"*"')),
  },
  {
    mistake: 'an action that does not exist',
    caughtBy: 'every action exists',
    seed: at(POLICY, 'roles-worker-task', replaced('policy', 'sqs:ReceiveMessage', 'sqs:RecieveMessage')),
  },
  {
    mistake: 'a role that any account’s services can be made to take',
    caughtBy: 'for our account only',
    seed: at(
      'aws:iam/role:Role',
      'roles-worker-task',
      replaced('assumeRolePolicy', 'aws:SourceAccount', 'aws:Ignored'),
    ),
  },
  {
    mistake: 'a worker that may not receive from a queue',
    caughtBy: 'the worker reaches every queue',
    seed: at(
      POLICY,
      'roles-worker-task',
      replaced('policy', /arn:aws:sqs:[^"]*laneway-production-CampaignEventsQueue\.fifo/, 'arn:aws:sqs:::other'),
    ),
  },
  {
    mistake: 'a worker that may not write to the archive',
    caughtBy: 'the worker reaches every queue',
    seed: at(
      POLICY,
      'roles-worker-task',
      replaced('policy', 'laneway-production-archive-', 'laneway-production-arch-'),
    ),
  },
  {
    mistake: 'a container that runs as root',
    caughtBy: 'containers run as nobody',
    seed: at(TASK, 'worker', replaced('containerDefinitions', '"user":"1000:1000"', '"user":"root"')),
  },
  {
    mistake: 'a misspelt variable',
    caughtBy: 'what a process must be told is set',
    seed: at(TASK, 'worker', replaced('containerDefinitions', 'LANEWAY_REDIS_URL', 'LANEWAY_REDSI_URL')),
  },
  {
    mistake: 'a password in the environment',
    caughtBy: 'passwords, tokens and keys come from',
    seed: at(
      TASK,
      'console',
      replaced(
        'containerDefinitions',
        '"environment":[',
        '"environment":[{"name":"LANEWAY_OPS_PASSWORD","value":"x"},',
      ),
    ),
  },
  {
    mistake: 'draining for longer than Fargate waits',
    caughtBy: 'draining ends before the stop time-out',
    seed: at(TASK, 'worker', replaced('containerDefinitions', '"110000"', '"130000"')),
  },
  {
    mistake: 'a visibility timeout that is longer than the lease',
    caughtBy: 'not after the lease',
    seed: at(
      TASK,
      'worker',
      replaced(
        'containerDefinitions',
        '"LANEWAY_VISIBILITY_SECONDS","value":"30"',
        '"LANEWAY_VISIBILITY_SECONDS","value":"300"',
      ),
    ),
  },
  {
    mistake: 'images whose tag can be pushed over',
    caughtBy: 'by a tag that is given once',
    seed: at('aws:ecr/repository:Repository', 'repositories-worker', set({ imageTagMutability: 'MUTABLE' })),
  },
  {
    mistake: 'a dashboard that names a queue that is not there',
    caughtBy: 'the dashboard is one that CloudWatch draws',
    seed: at(
      'aws:cloudwatch/dashboard:Dashboard',
      'dashboard',
      replaced('dashboardBody', 'laneway-production-CampaignEventsQueue.fifo', 'laneway-production-CampaignQueue.fifo'),
    ),
  },
  {
    mistake: 'panels that lie over each other',
    caughtBy: 'the dashboard is one that CloudWatch draws',
    seed: at('aws:cloudwatch/dashboard:Dashboard', 'dashboard', replaced('dashboardBody', '"x":8', '"x":0')),
  },
  {
    mistake: 'an alarm on a metric that nobody emits',
    caughtBy: 'watches a metric that is emitted',
    seed: at(
      ALARM,
      'lane-blocked',
      set({
        metricQueries: [
          {
            id: 'value',
            returnData: true,
            metric: { namespace: 'Laneway', metricName: 'laneway.lanes.stuck', stat: 'Maximum', period: 60 },
          },
        ],
      }),
    ),
  },
  {
    mistake: 'an alarm without a runbook',
    caughtBy: 'names a runbook',
    seed: at(ALARM, 'lane-blocked', set({ tags: { severity: 'critical', runbook: 'look-around.md' } })),
  },
  {
    mistake: 'an alarm that tells nobody that it is over',
    caughtBy: 'tells when it is over',
    seed: at(ALARM, 'lane-blocked', set({ okActions: [] })),
  },
  {
    mistake: 'a critical event whose dead letters are only a warning',
    caughtBy: 'has the alarms that the specification asks for',
    seed: at(
      ALARM,
      'CampaignEventsDLQ-not-empty',
      set({ tags: { severity: 'warning', runbook: 'events-were-given-up.md' } }),
    ),
  },
  {
    mistake: 'a database that goes with pulumi destroy',
    caughtBy: 'protected from deletion',
    seed: at('aws:rds/cluster:Cluster', 'database', set({ deletionProtection: false })),
  },
  {
    mistake: 'a table that cannot be restored',
    caughtBy: 'restored to a point in time',
    seed: at('aws:dynamodb/table:Table', 'tables-claims', (inputs) => delete inputs['pointInTimeRecovery']),
  },
  {
    mistake: 'a Postgres that takes connections without TLS',
    caughtBy: 'takes IAM and TLS only',
    seed: at('aws:rds/clusterParameterGroup:ClusterParameterGroup', 'database', set({ parameters: [] })),
  },
  {
    mistake: 'a Redis that evicts',
    caughtBy: 'Redis never evicts',
    seed: at(
      'aws:elasticache/parameterGroup:ParameterGroup',
      'cache',
      set({ parameters: [{ name: 'maxmemory-policy', value: 'allkeys-lru' }] }),
    ),
  },
  {
    mistake: 'a rollout that stays although it sets off alarms',
    caughtBy: 'is taken back',
    seed: at('aws:ecs/service:Service', 'worker', set({ alarms: { alarmNames: [], enable: false, rollback: false } })),
  },
  {
    mistake: 'a service that watches an empty list of alarms',
    caughtBy: 'is taken back',
    seed: at('aws:ecs/service:Service', 'console', set({ alarms: { alarmNames: [], enable: true, rollback: true } })),
  },
  {
    mistake: 'logs that are kept for ever',
    caughtBy: 'log groups end',
    seed: at('aws:cloudwatch/logGroup:LogGroup', 'logs-worker', set({ retentionInDays: 0 })),
  },
];
