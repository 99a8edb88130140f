import * as ecs from '@pulumi/aws/ecs/index.js';
import type { ContainerDefinition } from '@pulumi/aws/ecs/container.js';
import type * as iam from '@pulumi/aws/iam/index.js';
import type * as ec2 from '@pulumi/aws/ec2/index.js';
import type * as pulumi from '@pulumi/pulumi';
import { collectorConfig } from '../collector-config.ts';
import { type Shared, json } from './component.ts';
import type { LogName, Logs } from './logs.ts';
import type { Network } from './network.ts';
import type { SecretReference } from './secrets.ts';

/** What Fargate allows at most between SIGTERM and SIGKILL. LANEWAY_DRAIN_MS stays below it. */
export const stopTimeoutSeconds = 120;
export const drainMs = 110_000;

export interface ProcessArgs {
  /** `worker`, `gateway`, … */
  process: Extract<LogName, 'worker' | 'gateway' | 'console' | 'migration'>;
  image: pulumi.Input<string>;
  command: readonly string[];
  environment: Readonly<Record<string, pulumi.Input<string>>>;
  secrets: Readonly<Record<string, SecretReference['valueFrom']>>;
  cpu: number;
  memory: number;
  /** The port of its health endpoint, which the container asks itself. Without one, the task ends by itself. */
  port?: number;
  roles: { task: iam.Role; execution: iam.Role };
  logs: Logs;
}

/** A container as all of ours run: not root, nothing to write on, no capabilities, a minute and fifty seconds to finish. */
export function processContainer(args: ProcessArgs, region: string): ContainerDefinition {
  const { process, image, command, environment, secrets, port, logs } = args;
  return {
    name: process,
    image,
    essential: true,
    command: [...command],
    environment: Object.entries(environment)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    secrets: Object.entries(secrets)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, valueFrom]) => ({ name, valueFrom })),
    user: '1000:1000',
    readonlyRootFilesystem: true,
    // Reaps what the process leaves and hands signals on.
    linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
    stopTimeout: stopTimeoutSeconds,
    ulimits: [{ name: 'nofile', softLimit: 65_536, hardLimit: 65_536 }],
    ...(port === undefined
      ? {}
      : {
          portMappings: [{ containerPort: port, protocol: 'tcp' as const, name: process }],
          healthCheck: {
            command: [
              'CMD',
              'node',
              '--eval',
              `fetch('http://127.0.0.1:${port}/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`,
            ],
            interval: 15,
            timeout: 5,
            retries: 3,
            startPeriod: 60,
          },
        }),
    logConfiguration: logTo(logs.groups[process].name, region, process),
  };
}

const logTo = (group: pulumi.Output<string>, region: string, prefix: string) => ({
  logDriver: 'awslogs' as const,
  options: {
    'awslogs-group': group,
    'awslogs-region': region,
    'awslogs-stream-prefix': prefix,
    // A log service that is slow must not stop a worker; lines beyond the buffer are lost instead.
    mode: 'non-blocking',
    'max-buffer-size': '8m',
  },
});

/** Takes the process's metrics to CloudWatch. Its end is not the process's: it is started again beside it. */
const collectorContainer = ({ settings }: Shared, logs: Logs): ContainerDefinition => ({
  name: 'collector',
  image: settings.collectorImage,
  essential: false,
  restartPolicy: { enabled: true, restartAttemptPeriod: 60 },
  environment: [
    {
      name: 'AOT_CONFIG_CONTENT',
      value: logs.groups.metrics.name.apply((logGroup) => collectorConfig({ region: settings.region, logGroup })),
    },
  ],
  memory: 128,
  user: '1000:1000',
  readonlyRootFilesystem: true,
  linuxParameters: { capabilities: { drop: ['ALL'] } },
  logConfiguration: logTo(logs.groups.collector.name, settings.region, 'collector'),
});

/** One revision of a process: its container and, where it runs on, the collector beside it. */
export function taskDefinition(
  name: string,
  shared: Shared,
  args: ProcessArgs,
  options: pulumi.CustomResourceOptions,
): ecs.TaskDefinition {
  const { settings } = shared;
  const containers: ContainerDefinition[] = [processContainer(args, settings.region)];
  if (args.port !== undefined) containers.push(collectorContainer(shared, args.logs));
  return new ecs.TaskDefinition(
    name,
    {
      family: `${settings.stack}-${args.process}`,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: 'X86_64' },
      cpu: String(args.cpu),
      memory: String(args.memory),
      executionRoleArn: args.roles.execution.arn,
      taskRoleArn: args.roles.task.arn,
      containerDefinitions: json<ContainerDefinition[]>(containers),
    },
    options,
  );
}

export interface ServiceArgs {
  cluster: ecs.Cluster;
  network: Network;
  group: ec2.SecurityGroup;
  /** Physical name. */
  name: string;
  tasks: number;
  /** How many of each four tasks run on spare capacity, which is taken back at two minutes' notice. */
  spotShare: 0 | 3;
  /** A rollout during which one of them goes off is taken back. */
  rollbackAlarms: readonly string[];
  deployment?: ecs.ServiceArgs['deploymentConfiguration'];
  loadBalancers?: ecs.ServiceArgs['loadBalancers'];
}

/** Keeps tasks of a definition running in the private subnets; a rollout that does not come up is taken back. */
export const containerService = (
  name: string,
  definition: ecs.TaskDefinition,
  args: ServiceArgs,
  options: pulumi.CustomResourceOptions,
): ecs.Service =>
  new ecs.Service(
    name,
    {
      name: args.name,
      cluster: args.cluster.arn,
      taskDefinition: definition.arn,
      desiredCount: args.tasks,
      platformVersion: '1.4.0',
      capacityProviderStrategies:
        args.spotShare === 0
          ? [{ capacityProvider: 'FARGATE', base: args.tasks, weight: 1 }]
          : [
              { capacityProvider: 'FARGATE', base: Math.min(2, args.tasks), weight: 1 },
              { capacityProvider: 'FARGATE_SPOT', weight: args.spotShare },
            ],
      networkConfiguration: {
        subnets: args.network.privateSubnets.map(({ id }) => id),
        securityGroups: [args.group.id],
        assignPublicIp: false,
      },
      availabilityZoneRebalancing: 'ENABLED',
      deploymentMinimumHealthyPercent: 100,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      // ECS refuses to watch an empty list.
      ...(args.rollbackAlarms.length === 0
        ? {}
        : { alarms: { alarmNames: [...args.rollbackAlarms], enable: true, rollback: true } }),
      ...(args.deployment === undefined ? {} : { deploymentConfiguration: args.deployment }),
      ...(args.loadBalancers === undefined
        ? {}
        : { loadBalancers: args.loadBalancers, healthCheckGracePeriodSeconds: 60 }),
      propagateTags: 'SERVICE',
      enableEcsManagedTags: true,
      enableExecuteCommand: false,
      waitForSteadyState: true,
    },
    // The autoscaler owns the count once the service exists.
    { ...options, ignoreChanges: ['desiredCount'], customTimeouts: { create: '30m', update: '60m' } },
  );
