import * as pulumi from '@pulumi/pulumi';
import { alarmsOf } from '../../dashboards/cloudwatch/alarms.ts';
import type { ResourceReference } from '../../dashboards/cloudwatch/definition.ts';
import { panelsOf } from '../../dashboards/cloudwatch/panels.ts';
import type { Registry } from '../../core/events/registry.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { AlarmRoutes } from './components/alarm-routes.ts';
import { Alarms } from './components/alarms.ts';
import { Buckets } from './components/buckets.ts';
import { Budget } from './components/budget.ts';
import { Cache } from './components/cache.ts';
import { Cluster } from './components/cluster.ts';
import { Console } from './components/console.ts';
import { Dashboard } from './components/dashboard.ts';
import { Database } from './components/database.ts';
import { Gateway, gatewayBalancer } from './components/gateway.ts';
import { Keys } from './components/keys.ts';
import { Logs } from './components/logs.ts';
import { Mail } from './components/mail.ts';
import { Messaging } from './components/messaging.ts';
import { Migrations } from './components/migrations.ts';
import { Network } from './components/network.ts';
import { Repositories } from './components/repositories.ts';
import { type TaskRole, Roles } from './components/roles.ts';
import { Secrets } from './components/secrets.ts';
import { SecurityGroups, ports } from './components/security-groups.ts';
import { Tables } from './components/tables.ts';
import { Worker } from './components/worker.ts';
import { processSettings, workerPort } from './environment.ts';
import { namesOf, systemNamesOf } from './names.ts';
import type { Settings } from './settings.ts';

/** What an operator needs to find, and the guide refers to. */
export type Outputs = Record<string, pulumi.Output<unknown> | string>;

/** Declares everything that a Laneway in an account consists of. */
export function declareStack(
  settings: Settings,
  registry: Registry,
  options: pulumi.ComponentResourceOptions,
): Outputs {
  const partition = settings.region.startsWith('cn-')
    ? 'aws-cn'
    : settings.region.startsWith('us-gov-')
      ? 'aws-us-gov'
      : 'aws';
  const shared = { settings, partition };
  const { size } = settings;
  const topology = topologyOf(registry, settings.stack);
  const names = namesOf(settings);

  const keys = new Keys('keys', shared, options);
  const network = new Network('network', shared, options);
  const groups = new SecurityGroups('groups', shared, network, options);
  const messaging = new Messaging('messaging', shared, topology, keys, options);
  const tables = new Tables('tables', shared, names, keys, options);
  const buckets = new Buckets('buckets', shared, names, keys, options);
  const database = new Database('database', shared, { names, keys, network, groups }, options);
  const cache = new Cache('cache', shared, { names, keys, network, groups }, options);
  const logs = new Logs('logs', shared, keys, buckets, options);
  const secrets = new Secrets('secrets', shared, keys, cache, options);
  const repositories = new Repositories('repositories', shared, keys, options);
  const mail = new Mail('mail', shared, options);
  const roles = new Roles(
    'roles',
    shared,
    { keys, messaging, tables, buckets, database, logs, secrets, repositories, mailSender: mail.sender },
    options,
  );
  const { cluster } = new Cluster('cluster', shared, names, options);
  const balancer = gatewayBalancer('gateway', shared, { network, group: groups.gatewayBalancer, buckets }, options);

  const resolve = ({ resource }: ResourceReference): pulumi.Output<string> => {
    switch (resource) {
      case 'gatewayLoadBalancer':
        return balancer.balancer.arnSuffix;
      case 'gatewayTargetGroup':
        return balancer.targets[0].arnSuffix;
      default:
        return resource satisfies never;
    }
  };
  const routes = new AlarmRoutes('alarms', shared, keys, options);
  const systemNames = systemNamesOf(names, size);
  const definitions = alarmsOf(topology, systemNames);
  const alarms = new Alarms('alarms', shared, definitions, routes, resolve, options);
  const { dashboard } = new Dashboard('dashboard', shared, panelsOf(topology, systemNames), resolve, options);
  new Budget('budget', shared, routes, options);
  const rollbackAlarms = definitions
    .filter(({ rollsBack }) => rollsBack === true)
    .map(({ name }) => `${settings.stack}-${name}`);

  const told = processSettings(settings, database, secrets.references);
  const process = (name: TaskRole) => ({
    process: name,
    ...told[name],
    roles: { task: roles.tasks[name], execution: roles.executions[name] },
    logs,
  });
  const migrations = new Migrations(
    'migrations',
    shared,
    {
      process: {
        ...process('migration'),
        image: repositories.worker,
        command: ['node', 'workers/migrate.ts'],
        cpu: 256,
        memory: 512,
      },
      cluster,
      network,
      groups,
    },
    options,
  );
  // Alarms before services: a rollout names those that take it back.
  const afterAlarms = { ...options, dependsOn: [alarms] };
  const gateway = new Gateway(
    'gateway',
    shared,
    balancer,
    {
      process: {
        ...process('gateway'),
        image: repositories.gateway,
        command: ['node', 'gateway/main.ts'],
        cpu: size.gateway.cpu,
        memory: size.gateway.memory,
        port: ports.gateway,
      },
      cluster,
      clusterName: names.cluster,
      serviceName: names.services.gateway,
      network,
      groups,
      buckets,
      migrations,
      rollbackAlarms,
    },
    afterAlarms,
  );
  const afterMigrations = { ...options, dependsOn: [alarms, gateway] };
  new Worker(
    'worker',
    shared,
    {
      process: {
        ...process('worker'),
        image: repositories.worker,
        command: ['node', 'workers/main.ts'],
        cpu: size.worker.cpu,
        memory: size.worker.memory,
        port: workerPort,
      },
      cluster,
      clusterName: names.cluster,
      serviceName: names.services.worker,
      network,
      groups,
      topology,
      rollbackAlarms,
    },
    afterMigrations,
  );
  new Console(
    'console',
    shared,
    {
      process: {
        ...process('console'),
        image: repositories.gateway,
        command: ['node', 'dashboards/main.ts'],
        cpu: 256,
        memory: 512,
        port: ports.console,
      },
      cluster,
      serviceName: names.services.console,
      network,
      groups,
      buckets,
    },
    afterMigrations,
  );

  return {
    gatewayUrl: `https://${settings.domain}`,
    consoleUrl: `https://console.${settings.domain}`,
    dashboard: dashboard.dashboardName,
    alarms: String(alarms.names.length),
    workerRepository: repositories.urls.worker,
    gatewayRepository: repositories.urls.gateway,
    databaseEndpoint: database.cluster.endpoint,
    databaseReaderEndpoint: database.cluster.readerEndpoint,
    databaseOwnerSecret: database.cluster.masterUserSecrets.apply((all) => all[0]?.secretArn ?? ''),
    redisEndpoint: cache.group.primaryEndpointAddress,
    queueUrls: pulumi.output(
      Object.fromEntries([...messaging.queues].map(([queueName, { queue }]) => [queueName, queue.url])),
    ),
    deadLetterQueueUrls: pulumi.output(
      Object.fromEntries([...messaging.queues].map(([queueName, { deadLetters }]) => [queueName, deadLetters.url])),
    ),
    topicArns: pulumi.output(Object.fromEntries([...messaging.topics].map(([topic, { arn }]) => [topic, arn]))),
    cluster: cluster.name,
    migrationTask: migrations.definition.arn,
    operatorPolicy: roles.operatorPolicy.arn,
    auditBucket: buckets.audit.id,
  };
}
