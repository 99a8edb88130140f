import * as iam from '@pulumi/aws/iam/index.js';
import type { PolicyStatement } from '@pulumi/aws/iam/documents.js';
import * as pulumi from '@pulumi/pulumi';
import { type Grant, type Role, type Target, databaseUsers, grants } from '../permissions.ts';
import type { Buckets } from './buckets.ts';
import { Component, type Shared, json } from './component.ts';
import type { Database } from './database.ts';
import type { Keys } from './keys.ts';
import type { Logs } from './logs.ts';
import type { Messaging } from './messaging.ts';
import { type PolicyDocument, assumedBy } from './policy.ts';
import type { Repositories } from './repositories.ts';
import type { SecretName, Secrets } from './secrets.ts';
import type { Tables } from './tables.ts';

export interface RoleParts {
  keys: Keys;
  messaging: Messaging;
  tables: Tables;
  buckets: Buckets;
  database: Database;
  logs: Logs;
  secrets: Secrets;
  repositories: Repositories;
  /** The identity that mail is from, and the set of rules it is sent by. */
  mailSender: readonly pulumi.Output<string>[];
}

export type TaskRole = Exclude<Role, 'operator'>;

/** Secrets each task is started with; its execution role can read these and no others. */
export const secretsOf: Readonly<Record<TaskRole, readonly SecretName[]>> = {
  worker: ['redisUrl', 'bodyHmacKey', 'masterKeys', 'adNetworkCredentials', 'paymentToken'],
  gateway: ['corePlatformSecret', 'bodyHmacKey', 'masterKeys'],
  console: ['redisUrl', 'opsPassword'],
  migration: [],
};

/** Two roles for each kind of task: what its code may call, and what starting it takes. Each names what it may touch. */
export class Roles extends Component {
  readonly tasks: Readonly<Record<TaskRole, iam.Role>>;
  readonly executions: Readonly<Record<TaskRole, iam.Role>>;
  /** For whoever runs `npm run dlq` and `npm run lanes`. */
  readonly operatorPolicy: iam.Policy;

  constructor(name: string, shared: Shared, parts: RoleParts, options?: pulumi.ComponentResourceOptions) {
    super('Roles', name, options);
    const { stack, accountId } = shared.settings;
    const statementsOf = (role: Role): PolicyStatement[] =>
      grants[role].map((grant) => statement(grant, targetsOf(grant.target, role, shared, parts)));
    const task = (role: TaskRole): iam.Role => {
      const made = this.role(name, `${role}-task`, `${stack}-${role}`, accountId);
      const statements = role === 'worker' ? [...statementsOf(role), smsOnly(shared.partition)] : statementsOf(role);
      if (statements.length > 0) this.policy(`${name}-${role}-task`, made, statements);
      return made;
    };
    const execution = (role: TaskRole): iam.Role => {
      const made = this.role(name, `${role}-execution`, `${stack}-${role}-execution`, accountId);
      this.policy(`${name}-${role}-execution`, made, executionStatements(role, parts));
      return made;
    };
    this.tasks = {
      worker: task('worker'),
      gateway: task('gateway'),
      console: task('console'),
      migration: task('migration'),
    };
    this.executions = {
      worker: execution('worker'),
      gateway: execution('gateway'),
      console: execution('console'),
      migration: execution('migration'),
    };
    this.operatorPolicy = new iam.Policy(
      `${name}-operator`,
      {
        name: `${stack}-operator`,
        description: 'What npm run dlq and npm run lanes call: attach it to the role that operators take',
        policy: json<PolicyDocument>({ Version: '2012-10-17', Statement: statementsOf('operator') }),
      },
      this.own,
    );
    this.registerOutputs();
  }

  private role(name: string, purpose: string, physicalName: string, accountId: string): iam.Role {
    return new iam.Role(
      `${name}-${purpose}`,
      {
        name: physicalName,
        assumeRolePolicy: json<PolicyDocument>(assumedBy('ecs-tasks.amazonaws.com', accountId)),
      },
      this.own,
    );
  }

  private policy(name: string, role: iam.Role, statements: PolicyStatement[]): void {
    new iam.RolePolicy(
      name,
      { role: role.id, policy: json<PolicyDocument>({ Version: '2012-10-17', Statement: statements }) },
      this.own,
    );
  }
}

const statement = ({ sid, actions }: Grant, targets: readonly pulumi.Output<string>[]): PolicyStatement => ({
  Sid: sid,
  Effect: 'Allow',
  Action: [...actions],
  Resource: [...targets],
});

/** SMS go to numbers, which have no ARN: allowed is what is none, so that no topic beyond the named ones comes with it. */
const smsOnly = (partition: string): PolicyStatement => ({
  Sid: 'SendSms',
  Effect: 'Allow',
  Action: 'sns:Publish',
  NotResource: `arn:${partition}:sns:*:*:*`,
});

function targetsOf(target: Target, role: Role, shared: Shared, parts: RoleParts): readonly pulumi.Output<string>[] {
  const { settings, partition } = shared;
  const { messaging, tables, buckets, keys, database, logs } = parts;
  switch (target) {
    case 'queues':
      return [...messaging.queues.values()].map(({ queue }) => queue.arn);
    case 'deadLetterQueues':
      return [...messaging.queues.values()].map(({ deadLetters }) => deadLetters.arn);
    case 'topics':
      return [...messaging.topics.values()].map(({ arn }) => arn);
    case 'dedupeTable':
      return [tables.dedupe.arn];
    case 'claimsTable':
      return [tables.claims.arn];
    case 'deadLetterObjects':
      return [pulumi.interpolate`${buckets.deadLetters.arn}/*`];
    case 'deadLetterBucket':
      return [buckets.deadLetters.arn];
    case 'archiveObjects':
      return [pulumi.interpolate`${buckets.archive.arn}/*`];
    case 'archiveBucket':
      return [buckets.archive.arn];
    case 'messagesKey':
      return [keys.messages.arn];
    case 'dataKey':
      return [keys.data.arn];
    case 'databaseUser': {
      if (role === 'migration') throw new Error('migrations sign in as the owner, by password');
      const user = databaseUsers[role];
      const { region, accountId } = settings;
      return [
        pulumi.interpolate`arn:${partition}:rds-db:${region}:${accountId}:dbuser:${database.cluster.clusterResourceId}/${user}`,
      ];
    }
    case 'mailIdentity':
      return parts.mailSender;
    case 'traces':
      return [pulumi.output('*')];
    case 'metricsLog':
      return [pulumi.interpolate`${logs.groups.metrics.arn}:*`];
    default:
      return target satisfies never;
  }
}

/** What the agent needs to start a task: its image, its secrets, somewhere to write. */
function executionStatements(role: TaskRole, parts: RoleParts): PolicyStatement[] {
  const { repositories, logs, keys, secrets, database } = parts;
  const owner = database.cluster.masterUserSecrets.apply((all) => all[0]?.secretArn ?? '');
  const readable =
    role === 'migration' ? [owner] : secretsOf[role].flatMap((secretName) => secrets.references[secretName]?.arn ?? []);
  return [
    {
      Sid: 'LogInToRegistry',
      Effect: 'Allow',
      Action: 'ecr:GetAuthorizationToken',
      // The token is the account's: this action knows no resource.
      Resource: '*',
    },
    {
      Sid: 'PullImages',
      Effect: 'Allow',
      Action: ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
      Resource: [...repositories.arns],
    },
    {
      Sid: 'WriteLogs',
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: [pulumi.interpolate`${logs.groups[role].arn}:*`, pulumi.interpolate`${logs.groups.collector.arn}:*`],
    },
    { Sid: 'ReadSecrets', Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: readable },
    { Sid: 'DecryptSecrets', Effect: 'Allow', Action: 'kms:Decrypt', Resource: keys.data.arn },
  ];
}
