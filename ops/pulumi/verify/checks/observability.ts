import { existsSync, readFileSync } from 'node:fs';
import { metricNamespace, metrics } from '../../../../core/runtime/metric-catalogue.ts';
import { type Graph, type Resource, document, ofType, shown } from '../graph.ts';
import { type Check, type Context, complain } from './check.ts';

const ALARM = 'aws:cloudwatch/metricAlarm:MetricAlarm';
const runbooks = new URL('../../../runbooks/', import.meta.url);

interface Named {
  namespace: string;
  metric: string;
  dimensions: Readonly<Record<string, string>>;
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const watched = (alarm: Resource): Named[] =>
  list(alarm.inputs['metricQueries'])
    .map((query) => record(record(query)['metric']))
    .filter((metric) => metric['namespace'] !== undefined)
    .map((metric) => ({
      namespace: String(metric['namespace']),
      metric: String(metric['metricName']),
      dimensions: Object.fromEntries(Object.entries(record(metric['dimensions'])).map(([k, v]) => [k, shown(v)])),
    }));

/** Which values a dimension can have, from the graph and, for our own metrics, from the registry. */
function valuesOf(graph: Graph, { topology, names }: Context): Readonly<Record<string, (value: string) => boolean>> {
  const inputsOf = (type: string, key: string) => new Set(ofType(graph, type).map(({ inputs }) => shown(inputs[key])));
  const queues = inputsOf('aws:sqs/queue:Queue', 'name');
  const topics = inputsOf('aws:sns/topic:Topic', 'name');
  const databases = inputsOf('aws:rds/cluster:Cluster', 'clusterIdentifier');
  const caches = ofType(graph, 'aws:elasticache/replicationGroup:ReplicationGroup');
  const tables = inputsOf('aws:dynamodb/table:Table', 'name');
  const clusters = inputsOf('aws:ecs/cluster:Cluster', 'name');
  const services = inputsOf('aws:ecs/service:Service', 'name');
  const balancers = inputsOf('aws:lb/loadBalancer:LoadBalancer', 'name');
  const targets = inputsOf('aws:lb/targetGroup:TargetGroup', 'name');
  const events = topology.queues.flatMap((queue) => queue.events);
  const handlers = new Set(events.flatMap((event) => event.handlers.map(({ name }) => name)));
  return {
    QueueName: (value) => queues.has(value),
    TopicName: (value) => topics.has(value),
    DBClusterIdentifier: (value) => databases.has(value),
    CacheClusterId: (value) =>
      names.cacheNodes.includes(value) &&
      caches.some(({ inputs }) => {
        const number = Number(value.slice(-3));
        return (
          value.startsWith(`${shown(inputs['replicationGroupId'])}-`) && number <= Number(inputs['numCacheClusters'])
        );
      }),
    TableName: (value) => tables.has(value),
    ClusterName: (value) => clusters.has(value),
    ServiceName: (value) => services.has(value),
    LoadBalancer: (value) => balancers.has(value.split('/')[1] ?? ''),
    TargetGroup: (value) => targets.has(value.split('/')[1] ?? ''),
    queue: (value) => topology.queues.some(({ name }) => name === value),
    event: (value) => events.some(({ name }) => name === value),
    handler: (value) => handlers.has(value),
  };
}

function complaintsAbout(
  where: string,
  { namespace, metric, dimensions }: Named,
  graph: Graph,
  context: Context,
): string[] {
  const values = valuesOf(graph, context);
  const unknown = Object.entries(dimensions)
    .filter(([name, value]) => values[name]?.(value) !== true)
    .map(([name, value]) => `${where}: there is no ${name} ${value}`);
  if (namespace !== metricNamespace) return unknown;
  const definition = Object.values(metrics).find(({ name }) => name === metric);
  if (definition === undefined) return [...unknown, `${where}: nobody emits ${metric}`];
  const declared = definition.dimensions.toSorted().join();
  return [
    ...unknown,
    ...complain(
      declared !== Object.keys(dimensions).toSorted().join(),
      `${where}: ${metric} is emitted with the dimensions ${declared || 'none'}`,
    ),
  ];
}

export const alarmsWatchWhatIsThere: Check = {
  name: 'every alarm watches a metric that is emitted, of a resource that is there',
  complaints: (graph, context) =>
    ofType(graph, ALARM).flatMap((alarm) =>
      watched(alarm).flatMap((metric) => complaintsAbout(alarm.name, metric, graph, context)),
    ),
};

/** ECS moves all tasks from one group to the other with each rollout: an alarm over one would go off after every second. */
export const targetsAreWatchedTogether: Check = {
  name: 'an alarm that watches a group of targets watches it with its other one',
  complaints: (graph) => {
    const shades = (alarm: Resource) =>
      watched(alarm).flatMap(
        ({ dimensions }) => /-(blue|green)\//.exec(`${dimensions['TargetGroup'] ?? ''}/`)?.[1] ?? [],
      );
    return ofType(graph, ALARM)
      .filter((alarm) => new Set(shades(alarm)).size === 1)
      .map(({ name }) => `${name} watches one group of targets alone`);
  },
};

export const alarmsTell: Check = {
  name: 'every alarm tells somebody, tells when it is over, and names a runbook that says what to do',
  complaints: (graph) =>
    ofType(graph, ALARM).flatMap(({ name, inputs }) => {
      const runbook = shown(record(inputs['tags'])['runbook']);
      return [
        ...complain(list(inputs['alarmActions']).length === 0, `${name} tells nobody`),
        ...complain(list(inputs['okActions']).length === 0, `${name} never says that it is over`),
        ...complain(!shown(inputs['alarmDescription']).includes(`ops/runbooks/${runbook}`), `${name} names no runbook`),
        ...runbookComplaints(name, runbook),
      ];
    }),
};

/** What a runbook must have, so that somebody who is woken by it knows what to do. */
const sections = ['## Confirm', '## Mend', '## Mended when'];

function runbookComplaints(alarm: string, runbook: string): string[] {
  const file = new URL(runbook, runbooks);
  if (!existsSync(file)) return [`${alarm}: there is no ops/runbooks/${runbook}`];
  const text = readFileSync(file, 'utf8');
  return sections.filter((section) => !text.includes(section)).map((section) => `${runbook} lacks "${section}"`);
}

/** What the specification asks to be watched of each queue, event and handler. */
export const everythingIsWatched: Check = {
  name: 'each queue, event, handler and topic of the registry has the alarms that the specification asks for',
  complaints: (graph, { topology }) => {
    const alarms = new Map(ofType(graph, ALARM).map((alarm) => [alarm.name, alarm]));
    const missing = (name: string, threshold: number | undefined, critical?: boolean): string[] => {
      const alarm = alarms.get(name);
      if (alarm === undefined) return [`there is no alarm ${name}`];
      const severity = record(alarm.inputs['tags'])['severity'];
      return [
        ...complain(
          threshold !== undefined && alarm.inputs['threshold'] !== threshold,
          `${name} goes off at ${shown(alarm.inputs['threshold'])}, not at ${threshold}`,
        ),
        ...complain(critical === true && severity !== 'critical', `${name} is not critical`),
      ];
    };
    return topology.queues.flatMap((queue) => [
      ...missing(
        `${queue.deadLetterQueue.name}-not-empty`,
        0,
        queue.events.some(({ criticality }) => criticality === 'critical'),
      ),
      ...missing(`${queue.name}-deep`, Math.min(...queue.events.map((event) => event.thresholds.queueDepth))),
      ...missing(`${queue.name}-old`, Math.min(...queue.events.map((event) => event.thresholds.queueAgeSeconds))),
      ...missing(`${queue.name}-poller-silent`, undefined),
      ...(queue.subscription === undefined ? [] : missing(`${queue.subscription.topic}-notifications-failed`, 0)),
      ...queue.events.flatMap((event) => [
        ...missing(`${event.name}-late`, event.thresholds.latencyMs),
        ...event.handlers.flatMap(({ name }) => missing(`${name}-errors`, event.thresholds.errorRatePercent)),
      ]),
    ]);
  },
};

const MAX_WIDGETS = 500;
const COLUMNS = 24;

/** CloudWatch refuses a body only when it is uploaded, and draws an empty panel for a name that is not there. */
export const dashboardIsDrawn: Check = {
  name: 'the dashboard is one that CloudWatch draws: on its grid, nothing over another, each metric there',
  complaints: (graph, context) =>
    ofType(graph, 'aws:cloudwatch/dashboard:Dashboard').flatMap((dashboard) => {
      const widgets = list(record(document(dashboard, 'dashboardBody'))['widgets']).map(record);
      const taken = new Set<string>();
      return [
        ...complain(
          widgets.length === 0 || widgets.length > MAX_WIDGETS,
          `the dashboard has ${widgets.length} widgets`,
        ),
        ...widgets.flatMap((widget) => {
          const properties = record(widget['properties']);
          const title = shown(properties['title']);
          const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((key) => Number(widget[key]));
          if (x === undefined || y === undefined || width === undefined || height === undefined) return [title];
          const cells = Array.from({ length: width }, (_, i) =>
            Array.from({ length: height }, (_unused, j) => `${x + i},${y + j}`),
          ).flat();
          const overlaps = cells.some((cell) => taken.has(cell));
          for (const cell of cells) taken.add(cell);
          return [
            ...complain(overlaps, `panel "${title}" lies over another one`),
            ...complain(x < 0 || width < 1 || x + width > COLUMNS, `panel "${title}" leaves the grid`),
            ...complain(properties['region'] === undefined, `panel "${title}" has no region`),
            ...list(properties['metrics'])
              .map(list)
              .filter(([namespace]) => typeof namespace === 'string')
              .flatMap((line) => complaintsAbout(`panel "${title}"`, metricOfLine(line), graph, context)),
          ];
        }),
      ];
    }),
};

function metricOfLine(line: readonly unknown[]): Named {
  const [namespace, metric, ...rest] = line.filter((part): part is string => typeof part === 'string');
  const dimensions: [string, string][] = [];
  for (let index = 0; index + 1 < rest.length; index += 2) dimensions.push([rest[index] ?? '', rest[index + 1] ?? '']);
  return { namespace: shown(namespace), metric: shown(metric), dimensions: Object.fromEntries(dimensions) };
}
