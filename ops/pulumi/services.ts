import type * as ecs from '@pulumi/aws/ecs/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Topology } from '../../core/events/topology.ts';
import type { Balancer } from './components/balancer.ts';
import type { Buckets } from './components/buckets.ts';
import type { Shared } from './components/component.ts';
import { Console } from './components/console.ts';
import type { Database } from './components/database.ts';
import { Gateway } from './components/gateway.ts';
import type { Logs } from './components/logs.ts';
import { Migrations } from './components/migrations.ts';
import type { Network } from './components/network.ts';
import type { Repositories } from './components/repositories.ts';
import type { Roles, TaskRole } from './components/roles.ts';
import type { Secrets } from './components/secrets.ts';
import { type SecurityGroups, ports } from './components/security-groups.ts';
import { Worker } from './components/worker.ts';
import { processSettings, workerPort } from './environment.ts';
import type { Names } from './names.ts';

export interface ServiceParts {
  names: Names;
  database: Database;
  logs: Logs;
  secrets: Secrets;
  repositories: Repositories;
  roles: Roles;
  network: Network;
  groups: SecurityGroups;
  buckets: Buckets;
  cluster: ecs.Cluster;
  balancer: Balancer;
  topology: Topology;
  /** What services name without taking an output of it: the alarms that take a rollout back, the capacity that tasks run on. */
  before: readonly pulumi.Resource[];
  rollbackAlarms: readonly string[];
}

/** Declares what runs images: migrations, then the gateway, which waits for them, then workers and console. */
export function declareServices(
  shared: Shared,
  parts: ServiceParts,
  options: pulumi.ComponentResourceOptions,
): Migrations {
  const { settings } = shared;
  const { size } = settings;
  const { names, database, logs, secrets, repositories, roles, network, groups, buckets, cluster, balancer } = parts;
  const { topology, rollbackAlarms } = parts;
  const ready = { ...options, dependsOn: [...parts.before] };
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
    ready,
  );
  const afterGateway = { ...options, dependsOn: [...parts.before, gateway] };
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
    afterGateway,
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
    afterGateway,
  );
  return migrations;
}
