import { readFileSync } from 'node:fs';
import * as cloudwatch from '@pulumi/aws/cloudwatch/index.js';
import * as iam from '@pulumi/aws/iam/index.js';
import * as lambda from '@pulumi/aws/lambda/index.js';
import type * as ecs from '@pulumi/aws/ecs/index.js';
import * as pulumi from '@pulumi/pulumi';
import { Component, type Shared, json } from './component.ts';
import { type ProcessArgs, taskDefinition } from './container-service.ts';
import type { Network } from './network.ts';
import { type PolicyDocument, assumedBy } from './policy.ts';
import type { SecurityGroups } from './security-groups.ts';

export interface MigrationsArgs {
  process: ProcessArgs;
  cluster: ecs.Cluster;
  network: Network;
  groups: SecurityGroups;
}

/**
 * Brings the database to the release's schema before the first task of the release starts: a lifecycle hook of the gateway's
 * deployment runs the migration task and lets the rollout go on only when it ended well. Workers roll out after the gateway.
 */
export class Migrations extends Component {
  readonly definition: ecs.TaskDefinition;
  /** A lifecycle hook of an ECS deployment. */
  readonly hook: { hookTargetArn: pulumi.Output<string>; roleArn: pulumi.Output<string>; lifecycleStages: string[] };

  constructor(name: string, shared: Shared, args: MigrationsArgs, options?: pulumi.ComponentResourceOptions) {
    super('Migrations', name, options);
    const { settings, partition } = shared;
    const { stack, region, accountId, size } = settings;
    this.definition = taskDefinition(name, shared, args.process, this.own);
    const functionName = `${stack}-migrate`;
    const log = new cloudwatch.LogGroup(
      `${name}-hook`,
      { name: `/aws/lambda/${functionName}`, retentionInDays: size.logDays },
      this.own,
    );
    const runner = new iam.Role(
      `${name}-hook`,
      { name: functionName, assumeRolePolicy: json<PolicyDocument>(assumedBy('lambda.amazonaws.com')) },
      this.own,
    );
    const tasks = `arn:${partition}:ecs:${region}:${accountId}:task/${stack}/*`;
    new iam.RolePolicy(
      `${name}-hook`,
      {
        role: runner.id,
        policy: json<PolicyDocument>({
          Version: '2012-10-17',
          Statement: [
            {
              Sid: 'StartMigration',
              Effect: 'Allow',
              Action: 'ecs:RunTask',
              Resource: this.definition.arn,
              Condition: { ArnEquals: { 'ecs:cluster': args.cluster.arn } },
            },
            {
              Sid: 'SeeItEnd',
              Effect: 'Allow',
              Action: 'ecs:DescribeTasks',
              Resource: tasks,
              Condition: { ArnEquals: { 'ecs:cluster': args.cluster.arn } },
            },
            {
              Sid: 'FindMigration',
              Effect: 'Allow',
              Action: 'ecs:ListTasks',
              // Knows container instances only, which Fargate has none of: the cluster is what bounds it.
              Resource: '*',
              Condition: { ArnEquals: { 'ecs:cluster': args.cluster.arn } },
            },
            {
              Sid: 'HandOverRoles',
              Effect: 'Allow',
              Action: 'iam:PassRole',
              Resource: [args.process.roles.task.arn, args.process.roles.execution.arn],
              Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
            },
            {
              Sid: 'WriteLogs',
              Effect: 'Allow',
              Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
              Resource: pulumi.interpolate`${log.arn}:*`,
            },
          ],
        }),
      },
      this.own,
    );
    const source = (file: string) =>
      new pulumi.asset.StringAsset(readFileSync(new URL(`../migration-hook/${file}`, import.meta.url), 'utf8'));
    const hook = new lambda.Function(
      name,
      {
        name: functionName,
        role: runner.arn,
        runtime: 'nodejs22.x',
        architectures: ['arm64'],
        handler: 'index.handler',
        timeout: 30,
        memorySize: 256,
        code: new pulumi.asset.AssetArchive({ 'index.mjs': source('index.mjs'), 'decide.mjs': source('decide.mjs') }),
        loggingConfig: { logFormat: 'JSON', logGroup: log.name },
        environment: {
          variables: {
            CLUSTER: args.cluster.arn,
            TASK_DEFINITION: this.definition.arn,
            SUBNETS: pulumi.all(args.network.privateSubnets.map(({ id }) => id)).apply((ids) => ids.join(',')),
            SECURITY_GROUP: args.groups.worker.id,
          },
        },
      },
      this.own,
    );
    const caller = new iam.Role(
      `${name}-caller`,
      {
        name: `${stack}-migrate-caller`,
        assumeRolePolicy: json<PolicyDocument>(assumedBy('ecs.amazonaws.com')),
      },
      this.own,
    );
    new iam.RolePolicy(
      `${name}-caller`,
      {
        role: caller.id,
        policy: json<PolicyDocument>({
          Version: '2012-10-17',
          Statement: [{ Sid: 'Call', Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: hook.arn }],
        }),
      },
      this.own,
    );
    this.hook = { hookTargetArn: hook.arn, roleArn: caller.arn, lifecycleStages: ['PRE_SCALE_UP'] };
    this.registerOutputs();
  }
}
