import {
  CreateTableCommand,
  type DynamoDBClient,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { type BucketLocationConstraint, CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  CreateTopicCommand,
  ListSubscriptionsByTopicCommand,
  type SNSClient,
  SetSubscriptionAttributesCommand,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueUrlCommand, type SQSClient, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import type { Registry } from '../../core/events/registry.ts';
import { storeNames } from '../../core/runtime/store-names.ts';
import {
  type QueueTopology,
  deadLetterRetentionSeconds,
  nativeMaxReceiveCount,
  queueRetentionSeconds,
  topicArn,
  topologyOf,
} from '../../core/events/topology.ts';

export interface ProvisionClients {
  sqs: SQSClient;
  sns: SNSClient;
  dynamodb: DynamoDBClient;
  s3: S3Client;
}

export interface ProvisionOptions {
  registry: Registry;
  stack: string;
  region: string;
  account: string;
  visibilitySeconds?: number;
  /** One short line for each thing that now exists. */
  onProgress?: (what: string) => void;
}

/**
 * Creates what the registry implies, in endpoints that speak AWS. What exists is brought to its attributes and otherwise
 * left alone, so that it can run at every start.
 */
export async function provision(clients: ProvisionClients, options: ProvisionOptions): Promise<void> {
  const progress = options.onProgress ?? (() => undefined);
  const topology = topologyOf(options.registry, options.stack);
  const names = storeNames(options.stack);
  const queues = async () => {
    await Promise.all([
      ...topology.queues.map((queue) => provisionQueue(clients.sqs, queue, options, progress)),
      ...topology.topics.map(async ({ physicalName, fifo }) => {
        const Attributes = fifo ? { FifoTopic: 'true', ContentBasedDeduplication: 'false' } : {};
        await clients.sns.send(new CreateTopicCommand({ Name: physicalName, Attributes }));
        progress(`topic ${physicalName}`);
      }),
    ]);
    await Promise.all(topology.queues.map((queue) => subscribe(clients.sns, queue, options, progress)));
  };
  await Promise.all([
    queues(),
    ...[names.dedupeTable, names.claimsTable].map((name) => provisionTable(clients.dynamodb, name, progress)),
    ...[names.deadLetterBucket, names.archiveBucket].map((name) =>
      provisionBucket(clients.s3, name, options.region, progress),
    ),
  ]);
}

const fifoAttributes = {
  FifoQueue: 'true',
  ContentBasedDeduplication: 'false',
  // Both are needed for FIFO at high throughput: limits then count per message group, which is a merchant.
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
};

const queueArn = ({ region, account }: ProvisionOptions, physicalName: string): string =>
  `arn:aws:sqs:${region}:${account}:${physicalName}`;

async function provisionQueue(
  sqs: SQSClient,
  queue: QueueTopology,
  options: ProvisionOptions,
  progress: (what: string) => void,
): Promise<void> {
  const { physicalName, deadLetterQueue, subscription } = queue;
  const common = queue.fifo ? fifoAttributes : {};
  // A queue cannot name a dead-letter queue that does not exist yet.
  await ensureQueue(sqs, deadLetterQueue.physicalName, {
    ...common,
    MessageRetentionPeriod: String(deadLetterRetentionSeconds),
  });
  progress(`queue ${deadLetterQueue.physicalName}`);
  await ensureQueue(sqs, physicalName, {
    ...common,
    MessageRetentionPeriod: String(queueRetentionSeconds),
    VisibilityTimeout: String(options.visibilitySeconds ?? 30),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: queueArn(options, deadLetterQueue.physicalName),
      maxReceiveCount: nativeMaxReceiveCount,
    }),
    ...(subscription === undefined
      ? {}
      : {
          Policy: JSON.stringify(
            allowTopic(
              queueArn(options, physicalName),
              topicArn(options.region, options.account, subscription.physicalTopic),
            ),
          ),
        }),
  });
  progress(`queue ${physicalName}`);
}

const allowTopic = (queue: string, topic: string) => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { Service: 'sns.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: queue,
      Condition: { ArnEquals: { 'aws:SourceArn': topic } },
    },
  ],
});

/** Creating a queue that exists is refused when an attribute differs; the attributes are then set instead. */
async function ensureQueue(sqs: SQSClient, name: string, attributes: Record<string, string>): Promise<void> {
  try {
    await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  } catch (error) {
    if (!isNamed(error, /QueueNameExists|QueueAlreadyExists/)) throw error;
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    const { FifoQueue: _fixed, ...changeable } = attributes;
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: changeable }));
  }
}

async function subscribe(
  sns: SNSClient,
  { physicalName, subscription }: QueueTopology,
  options: ProvisionOptions,
  progress: (what: string) => void,
): Promise<void> {
  if (subscription === undefined) return;
  const attributes = {
    RawMessageDelivery: 'true',
    ...(subscription.filter === undefined
      ? {}
      : { FilterPolicyScope: 'MessageAttributes', FilterPolicy: JSON.stringify(subscription.filter) }),
  };
  const TopicArn = topicArn(options.region, options.account, subscription.physicalTopic);
  const Endpoint = queueArn(options, physicalName);
  try {
    // With its attributes from the first moment: a subscription without its filter would let everything through.
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint, Attributes: attributes }));
  } catch (error) {
    if (!isNamed(error, /InvalidParameter/)) throw error;
    const { Subscriptions } = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
    const SubscriptionArn = Subscriptions?.find((each) => each.Endpoint === Endpoint)?.SubscriptionArn;
    if (SubscriptionArn === undefined) throw error;
    for (const [AttributeName, AttributeValue] of Object.entries(attributes))
      await sns.send(new SetSubscriptionAttributesCommand({ SubscriptionArn, AttributeName, AttributeValue }));
  }
  progress(`subscription ${subscription.physicalTopic} to ${physicalName}`);
}

async function provisionTable(dynamodb: DynamoDBClient, name: string, progress: (what: string) => void): Promise<void> {
  try {
    await dynamodb.send(
      new CreateTableCommand({
        TableName: name,
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    );
  } catch (error) {
    if (!isNamed(error, /ResourceInUseException/)) throw error;
  }
  await waitUntilTableExists({ client: dynamodb, maxWaitTime: 60, minDelay: 1, maxDelay: 2 }, { TableName: name });
  try {
    await dynamodb.send(
      new UpdateTimeToLiveCommand({
        TableName: name,
        TimeToLiveSpecification: { Enabled: true, AttributeName: 'expiresAtSeconds' },
      }),
    );
    progress(`table ${name}`);
  } catch (error) {
    // Already enabled is refused too. An endpoint without TTL only keeps rows for longer: expiry is checked in code.
    if (isNamed(error, /UnknownOperation/)) progress(`table ${name}, which this endpoint will not expire`);
    else if (isNamed(error, /ValidationException/)) progress(`table ${name}`);
    else throw error;
  }
}

async function provisionBucket(
  s3: S3Client,
  name: string,
  region: string,
  progress: (what: string) => void,
): Promise<void> {
  // us-east-1 is the one region that must not be named; the SDK's list of regions is older than AWS's, hence the cast.
  const configuration = {
    CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint },
  };
  try {
    await s3.send(new CreateBucketCommand({ Bucket: name, ...(region === 'us-east-1' ? {} : configuration) }));
  } catch (error) {
    if (!isNamed(error, /BucketAlreadyOwnedByYou/)) throw error;
  }
  progress(`bucket ${name}`);
}

const isNamed = (error: unknown, name: RegExp): boolean => error instanceof Error && name.test(error.name);
