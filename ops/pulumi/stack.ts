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
import { Dashboard } from './components/dashboard.ts';
import { Database } from './components/database.ts';
import { gatewayBalancer } from './components/gateway.ts';
import { Keys } from './components/keys.ts';
import { Logs } from './components/logs.ts';
import { Mail } from './components/mail.ts';
import { Messaging } from './components/messaging.ts';
import { Network } from './components/network.ts';
import { Repositories } from './components/repositories.ts';
import { Roles } from './components/roles.ts';
import { Secrets } from './components/secrets.ts';
import { SecurityGroups } from './components/security-groups.ts';
import { Tables } from './components/tables.ts';
import { namesOf, systemNamesOf } from './names.ts';
import { declareServices } from './services.ts';
import { type Settings, noRelease } from './settings.ts';

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
  const capacity = new Cluster('cluster', shared, names, options);
  const { cluster } = capacity;
  const balancer = gatewayBalancer('gateway', shared, { network, group: groups.gatewayBalancer, buckets }, options);

  const resolve = ({ resource }: ResourceReference): pulumi.Output<string> => {
    switch (resource) {
      case 'gatewayLoadBalancer':
        return balancer.balancer.arnSuffix;
      case 'gatewayBlueTargets':
        return balancer.targets[0].arnSuffix;
      case 'gatewayGreenTargets':
        return balancer.targets[1].arnSuffix;
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

  const parts = { names, database, logs, secrets, repositories, roles, network, groups, buckets, cluster, balancer };
  const migrations =
    settings.release === noRelease
      ? undefined
      : declareServices(shared, { ...parts, topology, rollbackAlarms, before: [alarms, capacity] }, options);

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
    migrationTask: migrations?.definition.arn ?? '',
    operatorPolicy: roles.operatorPolicy.arn,
    auditBucket: buckets.audit.id,
  };
}
