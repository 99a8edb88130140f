import type { QueueTopology, Topology } from '../../core/events/topology.ts';
import { type PanelDefinition, type Query, ours, theirs } from './definition.ts';
import type { SystemNames } from './system-alarms.ts';

const MINUTE = 60;

/** The panels of the system's dashboard: what flows, how long it takes, what waits, and the stores below. */
export const panelsOf = (topology: Topology, names: SystemNames): PanelDefinition[] => [
  ...flowPanels(topology),
  ...topology.queues.map(queuePanel),
  ...enginePanels,
  ...storePanels(names),
];

/** One line for each; ids are positions, since names of events may hold what an id may not. */
const lines = <T>(items: readonly T[], query: (item: T) => Extract<Query, { metric: unknown }>['metric']): Query[] =>
  items.map((item, index) => ({ id: `line${index}`, metric: query(item) }));

const panel = (
  title: string,
  unit: string,
  queries: Query[],
  marks: PanelDefinition['marks'] = [],
): PanelDefinition[] => {
  const [first, ...rest] = queries;
  return first === undefined ? [] : [{ title, unit, queries: [first, ...rest], marks }];
};

function flowPanels({ queues }: Topology): PanelDefinition[] {
  const events = queues.flatMap((queue) => queue.events);
  const handlers = events.flatMap((event) => event.handlers.map(({ name }) => name));
  return [
    ...panel(
      'Events accepted per minute',
      'events',
      lines(queues, ({ name }) => ours('eventsAccepted', { queue: name }, 'Sum', MINUTE)),
    ),
    ...panel(
      'End-to-end latency, 95th percentile',
      'ms',
      lines(events, ({ name }) => ours('eventLatency', { event: name }, 'p95', MINUTE)),
      [...new Set(events.map((event) => event.thresholds.latencyMs))].map((value) => ({
        label: `limit ${value} ms`,
        value,
      })),
    ),
    ...panel(
      'Handler runs per minute',
      'runs',
      lines(handlers, (handler) => ours('handlerRuns', { handler }, 'Sum', MINUTE)),
    ),
    ...panel(
      'Handler failures per minute',
      'runs',
      lines(handlers, (handler) => ours('handlerErrors', { handler }, 'Sum', MINUTE)),
    ),
    ...panel(
      'Time since the last receive',
      's',
      lines(queues, ({ name }) => ours('pollerAge', { queue: name }, 'Minimum', MINUTE)),
      [{ label: 'silent', value: 120 }],
    ),
  ];
}

const queuePanel = ({ name, physicalName, deadLetterQueue, events }: QueueTopology): PanelDefinition => ({
  title: name,
  unit: 'messages',
  queries: [
    {
      id: 'depth',
      metric: theirs('AWS/SQS', 'ApproximateNumberOfMessagesVisible', { QueueName: physicalName }, 'Maximum', MINUTE),
    },
    {
      id: 'flight',
      metric: theirs(
        'AWS/SQS',
        'ApproximateNumberOfMessagesNotVisible',
        { QueueName: physicalName },
        'Maximum',
        MINUTE,
      ),
    },
    {
      id: 'dead',
      metric: theirs(
        'AWS/SQS',
        'ApproximateNumberOfMessagesVisible',
        { QueueName: deadLetterQueue.physicalName },
        'Maximum',
        MINUTE,
      ),
    },
  ],
  marks: [{ label: 'deep', value: Math.min(...events.map((event) => event.thresholds.queueDepth)) }],
});

const enginePanels: PanelDefinition[] = [
  ...panel('Backlog of the lanes', 'events', [{ id: 'backlog', metric: ours('lanesBacklog', {}, 'Maximum', MINUTE) }]),
  ...panel('What waits for an operator', 'count', [
    { id: 'blocked', metric: ours('lanesBlocked', {}, 'Maximum', MINUTE) },
    { id: 'parked', metric: ours('deliveriesParked', {}, 'Maximum', MINUTE) },
    { id: 'unsendable', metric: ours('outboxUnsendable', {}, 'Sum', MINUTE) },
  ]),
  ...panel(
    'Outbox lag',
    's',
    [{ id: 'lag', metric: ours('outboxLag', {}, 'Maximum', MINUTE) }],
    [{ label: 'limit', value: 60 }],
  ),
  ...panel('Fence refusals and closed intake', 'count', [
    { id: 'refusals', metric: ours('fenceRefusals', {}, 'Sum', MINUTE) },
    { id: 'closed', metric: ours('intakeClosed', {}, 'Minimum', MINUTE) },
  ]),
];

const storePanels = (names: SystemNames): PanelDefinition[] => [
  ...panel('Postgres connections', 'connections', [
    {
      id: 'connections',
      metric: theirs(
        'AWS/RDS',
        'DatabaseConnections',
        { DBClusterIdentifier: names.databaseCluster },
        'Maximum',
        MINUTE,
      ),
    },
  ]),
  ...panel('Postgres processor and replica lag', '%, ms', [
    {
      id: 'cpu',
      metric: theirs('AWS/RDS', 'CPUUtilization', { DBClusterIdentifier: names.databaseCluster }, 'Average', MINUTE),
    },
    {
      id: 'lag',
      metric: theirs(
        'AWS/RDS',
        'AuroraReplicaLagMaximum',
        { DBClusterIdentifier: names.databaseCluster },
        'Maximum',
        MINUTE,
      ),
    },
  ]),
  ...panel(
    'Redis memory',
    '%',
    lines(names.cacheNodes, (node) =>
      theirs('AWS/ElastiCache', 'DatabaseMemoryUsagePercentage', { CacheClusterId: node }, 'Maximum', MINUTE),
    ),
    [{ label: 'intake stops', value: 60 }],
  ),
  ...panel(
    'DynamoDB writes',
    'units',
    lines(names.tables, (table) =>
      theirs('AWS/DynamoDB', 'ConsumedWriteCapacityUnits', { TableName: table }, 'Sum', MINUTE),
    ),
  ),
  ...panel('Gateway', 'requests', [
    {
      id: 'requests',
      metric: theirs(
        'AWS/ApplicationELB',
        'RequestCount',
        { LoadBalancer: { resource: 'gatewayLoadBalancer' } },
        'Sum',
        MINUTE,
      ),
    },
    {
      id: 'errors',
      metric: theirs(
        'AWS/ApplicationELB',
        'HTTPCode_Target_5XX_Count',
        { LoadBalancer: { resource: 'gatewayLoadBalancer' } },
        'Sum',
        MINUTE,
      ),
    },
  ]),
];
