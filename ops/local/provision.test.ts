import { randomBytes } from 'node:crypto';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { ListSubscriptionsByTopicCommand, PublishCommand } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveAddresses } from '../../core/clients/addresses.ts';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { connectS3 } from '../../core/clients/s3.ts';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { registry } from '../../core/events/registry.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { provision } from './provision.ts';

const region = 'eu-central-1';
const account = '000000000000';

function connect() {
  const clients = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  return {
    ...clients,
    stack: `t${randomBytes(5).toString('hex')}`,
    [Symbol.dispose]: () => Object.values(clients).forEach((client) => client.destroy()),
  };
}

test('everything that the registry implies exists, and provisioning again changes nothing', async () => {
  using aws = connect();
  const progress: string[] = [];
  const options = { registry, stack: aws.stack, region, account, onProgress: (what: string) => progress.push(what) };
  await provision(aws, options);
  const first = progress.splice(0).toSorted();
  await provision(aws, options);
  assert.equal(progress.toSorted(), first);
  assert.ok(first.includes(`queue ${aws.stack}-ProductSyncEventsQueue.fifo`), first.join('\n'));
  assert.ok(first.includes(`queue ${aws.stack}-CampaignEventsDLQ.fifo`));
  assert.ok(first.includes(`topic ${aws.stack}-PerformanceDataTopic`));

  const addresses = await resolveAddresses(aws.sqs, topologyOf(registry, aws.stack), { region, account });
  const { Attributes } = await aws.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: addresses.queueUrl('ProductSyncEventsQueue'), AttributeNames: ['All'] }),
  );
  assert.is(Attributes?.['FifoQueue'], 'true');
  assert.is(Attributes?.['ContentBasedDeduplication'], 'false');
  assert.is(Attributes?.['DeduplicationScope'], 'messageGroup');
  assert.is(Attributes?.['FifoThroughputLimit'], 'perMessageGroupId');
  assert.is(Attributes?.['MessageRetentionPeriod'], '345600');
  assert.equal(JSON.parse(Attributes?.['RedrivePolicy'] ?? '{}'), {
    deadLetterTargetArn: `arn:aws:sqs:${region}:${account}:${aws.stack}-ProductSyncEventsDLQ.fifo`,
    maxReceiveCount: 1_000,
  });
  const dlq = await aws.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: addresses.queueUrl('ProductSyncEventsDLQ'), AttributeNames: ['All'] }),
  );
  assert.is(dlq.Attributes?.['MessageRetentionPeriod'], '1209600');
  const subscriptions = await aws.sns.send(
    new ListSubscriptionsByTopicCommand({ TopicArn: addresses.topicArn('PerformanceDataTopic') }),
  );
  assert.is(subscriptions.Subscriptions?.length, 1);
  for (const table of ['dedupe', 'claims']) {
    const { Table } = await aws.dynamodb.send(new DescribeTableCommand({ TableName: `${aws.stack}-${table}` }));
    assert.is(Table?.TableStatus, 'ACTIVE');
    assert.equal(Table?.KeySchema, [{ AttributeName: 'pk', KeyType: 'HASH' }]);
  }
  await aws.s3.send(new HeadBucketCommand({ Bucket: `${aws.stack}-dead-letters` }));
});

test('the topic delivers raw and only what the filter lets through', async () => {
  using aws = connect();
  await provision(aws, { registry, stack: aws.stack, region, account });
  const addresses = await resolveAddresses(aws.sqs, topologyOf(registry, aws.stack), { region, account });
  const publish = (eventType: string, body: string) =>
    aws.sns.send(
      new PublishCommand({
        TopicArn: addresses.topicArn('PerformanceDataTopic'),
        Message: body,
        MessageAttributes: { eventType: { DataType: 'String', StringValue: eventType } },
      }),
    );
  await publish('SomethingElse', '{"other":1}');
  await publish('AdPerformanceDataIngestedEvent', '{"wanted":1}');
  const { Messages } = await aws.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: addresses.queueUrl('AnalyticsPerformanceProcessingQueue'),
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 5,
    }),
  );
  assert.equal(
    Messages?.map((message) => message.Body),
    ['{"wanted":1}'],
  );
});

test('a stack that was never provisioned is refused by naming every queue it lacks', async () => {
  using aws = connect();
  try {
    await resolveAddresses(aws.sqs, topologyOf(registry, aws.stack), { region, account });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, LanewayError);
    assert.is((error as LanewayError).code, 'config.invalid');
    assert.match(
      (error as LanewayError).message,
      `${aws.stack}-CampaignEventsDLQ.fifo, ${aws.stack}-CampaignEventsQueue.fifo`,
    );
  }
});

test('a queue of an earlier release is brought to the attributes of this one', async () => {
  using aws = connect();
  const options = { registry, stack: aws.stack, region, account };
  await provision(aws, { ...options, visibilitySeconds: 45 });
  const addresses = await resolveAddresses(aws.sqs, topologyOf(registry, aws.stack), { region, account });
  const QueueUrl = addresses.queueUrl('CampaignEventsQueue');
  await aws.sqs.send(
    new SendMessageCommand({ QueueUrl, MessageBody: 'kept', MessageGroupId: 'g', MessageDeduplicationId: 'd' }),
  );
  await provision(aws, options);
  const { Attributes } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  assert.is(Attributes?.['VisibilityTimeout'], '30');
  assert.is(Attributes?.['ApproximateNumberOfMessages'], '1');
});

test.run();
