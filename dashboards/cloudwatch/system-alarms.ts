import { type AlarmDefinition, type ResourceReference, ours, single, theirs } from './definition.ts';

/** Names of the shared resources, as the infrastructure program gives them. */
export interface SystemNames {
  databaseCluster: string;
  databaseConnections: number;
  cacheNodes: readonly string[];
  tables: readonly string[];
  cluster: string;
  workerService: string;
  workersAtLeast: number;
}

const critical = {
  severity: 'critical',
  respond: 'at once',
  notify: ['on-call', 'operations', 'development'],
  escalation: ['on-call engineer', 'development team lead'],
} as const;
const warning = {
  severity: 'warning',
  respond: 'within 1 hour',
  notify: ['operations', 'development'],
  escalation: ['operations team', 'development team'],
} as const;
/** `datapoints` of `datapoints` minutes above. */
const minutes = (datapoints: number) =>
  ({ comparison: 'above', periods: datapoints, datapoints, missing: 'notBreaching' }) as const;

/** The alarms of what all events share: engine, stores, gateway. */
export const systemAlarms = (names: SystemNames): AlarmDefinition[] => [
  ...engineAlarms(names),
  ...storeAlarms(names),
  ...gatewayAlarms,
];

const engineAlarms = (names: SystemNames): AlarmDefinition[] => [
  {
    ...critical,
    ...minutes(1),
    name: 'lane-blocked',
    symptom: 'a lane waits for an operator',
    runbook: 'a-lane-is-blocked.md',
    queries: single(ours('lanesBlocked', {}, 'Maximum', 60)),
    threshold: 0,
  },
  {
    ...warning,
    ...minutes(1),
    name: 'deliveries-parked',
    symptom: 'events are kept for an operator',
    runbook: 'a-lane-is-blocked.md',
    queries: single(ours('deliveriesParked', {}, 'Maximum', 60)),
    threshold: 0,
  },
  {
    ...critical,
    ...minutes(3),
    name: 'outbox-lag',
    symptom: 'what was committed is not published',
    runbook: 'the-outbox-does-not-drain.md',
    queries: single(ours('outboxLag', {}, 'Maximum', 60)),
    threshold: 60,
  },
  {
    ...warning,
    ...minutes(1),
    name: 'outbox-unsendable',
    symptom: 'a committed event can never be published as it is',
    runbook: 'the-outbox-does-not-drain.md',
    queries: single(ours('outboxUnsendable', {}, 'Sum', 300)),
    threshold: 0,
  },
  {
    ...warning,
    ...minutes(1),
    name: 'fence-refusals',
    symptom: 'workers lose lanes that they work',
    runbook: 'workers-lose-their-lanes.md',
    queries: single(ours('fenceRefusals', {}, 'Sum', 300)),
    threshold: 10,
    rollsBack: true,
  },
  {
    ...critical,
    ...minutes(5),
    name: 'intake-closed',
    symptom: 'workers take no new messages',
    runbook: 'workers-take-no-messages.md',
    // The smallest over all workers: one that takes messages is enough.
    queries: single(ours('intakeClosed', {}, 'Minimum', 60)),
    threshold: 0,
  },
  {
    ...critical,
    ...minutes(3),
    name: 'too-few-workers',
    symptom: 'fewer workers run than should',
    runbook: 'too-few-workers.md',
    queries: single(
      theirs(
        'ECS/ContainerInsights',
        'RunningTaskCount',
        { ClusterName: names.cluster, ServiceName: names.workerService },
        'Minimum',
        60,
      ),
    ),
    comparison: 'below',
    threshold: names.workersAtLeast,
    missing: 'breaching',
    rollsBack: true,
  },
];

const storeAlarms = (names: SystemNames): AlarmDefinition[] => [
  ...names.cacheNodes.flatMap((node): AlarmDefinition[] => {
    const queries = single(
      theirs('AWS/ElastiCache', 'DatabaseMemoryUsagePercentage', { CacheClusterId: node }, 'Maximum', 60),
    );
    const redis = { ...minutes(3), runbook: 'redis-is-full.md', queries };
    return [
      // Intake stops at 60 %: told a little before.
      { ...warning, ...redis, name: `${node}-memory`, symptom: 'Redis fills up', threshold: 55 },
      { ...critical, ...redis, name: `${node}-memory-critical`, symptom: 'Redis is nearly full', threshold: 80 },
    ];
  }),
  {
    ...warning,
    ...minutes(5),
    name: 'postgres-connections',
    symptom: 'Postgres runs out of connections',
    runbook: 'postgres-runs-out-of-connections.md',
    queries: single(
      theirs('AWS/RDS', 'DatabaseConnections', { DBClusterIdentifier: names.databaseCluster }, 'Maximum', 60),
    ),
    threshold: Math.floor(names.databaseConnections * 0.8),
  },
  {
    ...warning,
    ...minutes(5),
    name: 'postgres-replication-lag',
    symptom: 'the Postgres replica lags behind',
    runbook: 'the-replica-lags.md',
    queries: single(
      theirs('AWS/RDS', 'AuroraReplicaLagMaximum', { DBClusterIdentifier: names.databaseCluster }, 'Maximum', 60),
    ),
    threshold: 1_000,
  },
  {
    ...warning,
    ...minutes(15),
    name: 'postgres-busy',
    symptom: 'Postgres is short of processor time',
    runbook: 'events-are-late.md',
    queries: single(theirs('AWS/RDS', 'CPUUtilization', { DBClusterIdentifier: names.databaseCluster }, 'Average', 60)),
    threshold: 80,
  },
  ...names.tables.map((table): AlarmDefinition => ({
    ...warning,
    ...minutes(3),
    name: `${table}-throttled`,
    symptom: `DynamoDB throttles writes to ${table}`,
    runbook: 'dynamodb-throttles.md',
    queries: single(theirs('AWS/DynamoDB', 'WriteThrottleEvents', { TableName: table }, 'Sum', 60)),
    threshold: 0,
  })),
];

const loadBalancer = { LoadBalancer: { resource: 'gatewayLoadBalancer' } } as const;

const healthyHosts = (resource: ResourceReference['resource']) =>
  theirs('AWS/ApplicationELB', 'HealthyHostCount', { ...loadBalancer, TargetGroup: { resource } }, 'Maximum', 60);

const gatewayAlarms: AlarmDefinition[] = [
  {
    ...critical,
    ...minutes(5),
    name: 'gateway-errors',
    symptom: 'the gateway answers with server errors',
    runbook: 'the-gateway-fails.md',
    queries: [
      { id: 'requests', metric: theirs('AWS/ApplicationELB', 'RequestCount', loadBalancer, 'Sum', 60) },
      { id: 'errors', metric: theirs('AWS/ApplicationELB', 'HTTPCode_Target_5XX_Count', loadBalancer, 'Sum', 60) },
      {
        id: 'rate',
        expression: 'IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)',
        label: 'server errors in percent',
      },
    ],
    threshold: 1,
    rollsBack: true,
  },
  {
    ...critical,
    ...minutes(3),
    name: 'gateway-unhealthy',
    symptom: 'no healthy gateway is left',
    runbook: 'the-gateway-fails.md',
    // Both groups of targets together: each rollout empties the one that served, and leaves it empty.
    queries: [
      { id: 'blue', metric: healthyHosts('gatewayBlueTargets') },
      { id: 'green', metric: healthyHosts('gatewayGreenTargets') },
      { id: 'healthy', expression: 'FILL(blue, 0) + FILL(green, 0)', label: 'healthy gateways' },
    ],
    comparison: 'below',
    threshold: 1,
    missing: 'breaching',
  },
];
