/**
 * What each role may call, and why. `npm run infra:test` records what the local stack asks for and compares: each action is
 * granted, and what is granted and was not asked for says so by `recorded: false` and why.
 */
export type Role = 'worker' | 'gateway' | 'console' | 'migration' | 'operator';

/** What a grant names; permissions say `*` only for traces, of which AWS lets nothing be named. */
export type Target =
  | 'queues'
  | 'deadLetterQueues'
  | 'topics'
  | 'dedupeTable'
  | 'claimsTable'
  | 'deadLetterObjects'
  | 'deadLetterBucket'
  | 'archiveObjects'
  | 'archiveBucket'
  | 'messagesKey'
  | 'dataKey'
  | 'databaseUser'
  | 'mailIdentity'
  | 'metricsLog'
  | 'traces';

export interface Grant {
  sid: string;
  actions: readonly [string, ...string[]];
  target: Target;
  /** Why a role has it. `recorded: false`: the local stack has nothing that would make these calls. */
  reason: string;
  /** False for what only AWS asks for, or what the local run does not come to. */
  recorded?: false;
}

const signIn: Grant = {
  sid: 'SignInToPostgres',
  actions: ['rds-db:connect'],
  target: 'databaseUser',
  reason: 'IAM stands in for a password; the local database has no IAM',
  recorded: false,
};
const sendMetrics: Grant = {
  sid: 'SendMetrics',
  actions: ['logs:PutLogEvents', 'logs:CreateLogStream', 'logs:DescribeLogStreams'],
  target: 'metricsLog',
  reason: 'the collector beside each process shares its role and writes metrics as log lines',
  recorded: false,
};

const sendTraces: Grant = {
  sid: 'SendTraces',
  actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
  target: 'traces',
  reason: 'the collector beside workers hands spans to X-Ray with their role',
  recorded: false,
};

export const grants: Readonly<Record<Role, readonly Grant[]>> = {
  worker: [
    {
      sid: 'TakeMessages',
      actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueUrl'],
      target: 'queues',
      reason: 'polls every queue and acknowledges',
    },
    {
      sid: 'PutBack',
      actions: ['sqs:ChangeMessageVisibility'],
      target: 'queues',
      reason:
        'hands back at once what it cannot take now; a run in which nothing fails and nobody stops has no need to',
      recorded: false,
    },
    {
      sid: 'SendEvents',
      actions: ['sqs:SendMessage'],
      target: 'queues',
      reason: 'the relay publishes events without a topic straight to their queue',
    },
    {
      sid: 'GiveUp',
      actions: ['sqs:SendMessage', 'sqs:GetQueueUrl'],
      target: 'deadLetterQueues',
      reason: 'what cannot be handled goes to its DLQ',
    },
    { sid: 'Publish', actions: ['sns:Publish'], target: 'topics', reason: 'the relay publishes events with a topic' },
    {
      sid: 'RememberEvents',
      actions: ['dynamodb:BatchGetItem', 'dynamodb:BatchWriteItem'],
      target: 'dedupeTable',
      reason: 'the long memory of what was accepted, read and written in batches',
    },
    {
      sid: 'ClaimCalls',
      actions: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
      target: 'claimsTable',
      reason: 'a claim before each call to the outside; reading, renewing and releasing it need a call that went wrong',
      recorded: false,
    },
    {
      sid: 'KeepLargeBodies',
      actions: ['s3:PutObject', 's3:GetObject'],
      target: 'deadLetterObjects',
      reason: 'bodies too large for a dead letter; the local run sends none',
      recorded: false,
    },
    {
      sid: 'KeepArchive',
      actions: ['s3:PutObject', 's3:GetObject'],
      target: 'archiveObjects',
      reason:
        'months past their retention, which are read back before they are dropped; a local run is younger than that',
      recorded: false,
    },
    {
      sid: 'SeeWhatIsArchived',
      actions: ['s3:ListBucket'],
      target: 'archiveBucket',
      reason: 'without it S3 answers "forbidden" for an object that is not there, and a month could not be begun',
      recorded: false,
    },
    {
      sid: 'UseMessagesKey',
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      target: 'messagesKey',
      reason: 'queues and topics are encrypted; SQS and SNS ask for the key with the caller’s rights',
      recorded: false,
    },
    {
      sid: 'UseDataKey',
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      target: 'dataKey',
      reason: 'tables and bucket are encrypted',
      recorded: false,
    },
    {
      sid: 'SendMail',
      actions: ['ses:SendEmail'],
      target: 'mailIdentity',
      reason: 'notifications by mail, from our own domain only',
      recorded: false,
    },
    signIn,
    sendMetrics,
    sendTraces,
  ],
  gateway: [signIn, sendMetrics],
  console: [
    {
      sid: 'ShowDepths',
      actions: ['sqs:GetQueueUrl', 'sqs:GetQueueAttributes'],
      target: 'queues',
      reason: 'depth of every queue',
    },
    {
      sid: 'ShowDeadLetters',
      actions: ['sqs:GetQueueUrl', 'sqs:GetQueueAttributes'],
      target: 'deadLetterQueues',
      reason: 'depth of every DLQ',
    },
    signIn,
    sendMetrics,
  ],
  migration: [],
  operator: [
    {
      sid: 'LookAtDeadLetters',
      actions: [
        'sqs:ReceiveMessage',
        'sqs:ChangeMessageVisibility',
        'sqs:DeleteMessage',
        'sqs:GetQueueUrl',
        'sqs:GetQueueAttributes',
      ],
      target: 'deadLetterQueues',
      reason: '`npm run dlq` looks at dead letters, hands them back and removes those that are done with',
      recorded: false,
    },
    {
      sid: 'SendBack',
      actions: ['sqs:SendMessage', 'sqs:GetQueueUrl'],
      target: 'queues',
      reason: '`npm run dlq -- redrive` sends what never became an event back to its queue',
      recorded: false,
    },
    {
      sid: 'ReadLargeBodies',
      actions: ['s3:GetObject'],
      target: 'deadLetterObjects',
      reason: 'bodies too large for a dead letter',
      recorded: false,
    },
    {
      sid: 'UseMessagesKey',
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      target: 'messagesKey',
      reason: 'queues are encrypted',
      recorded: false,
    },
    {
      sid: 'UseDataKey',
      actions: ['kms:Decrypt'],
      target: 'dataKey',
      reason: 'the bucket is encrypted',
      recorded: false,
    },
    signIn,
  ],
};

/** Roles of Postgres as whom each role may sign in. */
export const databaseUsers = {
  worker: 'laneway_worker',
  gateway: 'laneway_gateway',
  console: 'laneway_reader',
  operator: 'laneway_operator',
} as const satisfies Partial<Record<Role, string>>;
