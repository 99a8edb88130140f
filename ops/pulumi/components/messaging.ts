import * as sns from '@pulumi/aws/sns/index.js';
import * as sqs from '@pulumi/aws/sqs/index.js';
import type * as pulumi from '@pulumi/pulumi';
import {
  type QueueTopology,
  type Topology,
  deadLetterRetentionSeconds,
  nativeMaxReceiveCount,
  queueRetentionSeconds,
} from '../../../core/events/topology.ts';
import { Component, type Shared, json } from './component.ts';
import type { Keys } from './keys.ts';
import { type PolicyDocument, tlsOnly } from './policy.ts';

/** How long a received message stays hidden; agrees with LANEWAY_VISIBILITY_SECONDS. */
export const visibilitySeconds = 30;

/** Both of the last two are needed for FIFO at high throughput: limits then count per message group, a merchant. */
const fifo = {
  fifoQueue: true,
  contentBasedDeduplication: false,
  deduplicationScope: 'messageGroup',
  fifoThroughputLimit: 'perMessageGroupId',
} as const;

interface Pair {
  queue: sqs.Queue;
  deadLetters: sqs.Queue;
}

/** Queues, dead-letter queues, topics, subscriptions and their policies, all from the registry's topology. */
export class Messaging extends Component {
  readonly queues: ReadonlyMap<string, Pair>;
  readonly topics: ReadonlyMap<string, sns.Topic>;

  constructor(
    name: string,
    _shared: Shared,
    topology: Topology,
    keys: Keys,
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Messaging', name, options);
    const key = keys.messages.arn;
    this.topics = new Map(
      topology.topics.map((topic) => {
        const made = new sns.Topic(
          topic.name,
          {
            name: topic.physicalName,
            kmsMasterKeyId: key,
            ...(topic.fifo
              ? { fifoTopic: true, contentBasedDeduplication: false, fifoThroughputScope: 'MessageGroup' }
              : {}),
          },
          this.own,
        );
        new sns.TopicPolicy(
          topic.name,
          {
            arn: made.arn,
            policy: json<PolicyDocument>({ Version: '2012-10-17', Statement: [tlsOnly('sns:Publish', made.arn)] }),
          },
          this.own,
        );
        return [topic.name, made];
      }),
    );
    this.queues = new Map(topology.queues.map((queue) => [queue.name, this.declareQueue(queue, key)]));
    this.registerOutputs();
  }

  private declareQueue(queue: QueueTopology, key: pulumi.Output<string>): Pair {
    const common = { kmsMasterKeyId: key, kmsDataKeyReusePeriodSeconds: 300, ...(queue.fifo ? fifo : {}) };
    const deadLetters = new sqs.Queue(
      queue.deadLetterQueue.name,
      {
        ...common,
        name: queue.deadLetterQueue.physicalName,
        messageRetentionSeconds: deadLetterRetentionSeconds,
      },
      this.own,
    );
    const made = new sqs.Queue(
      queue.name,
      {
        ...common,
        name: queue.physicalName,
        messageRetentionSeconds: queueRetentionSeconds,
        visibilityTimeoutSeconds: visibilitySeconds,
        receiveWaitTimeSeconds: 20,
        redrivePolicy: json({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount: nativeMaxReceiveCount }),
      },
      this.own,
    );
    // Only this queue's messages may be moved there, and back from there.
    new sqs.RedriveAllowPolicy(
      queue.deadLetterQueue.name,
      {
        queueUrl: deadLetters.url,
        redriveAllowPolicy: json({ redrivePermission: 'byQueue', sourceQueueArns: [made.arn] }),
      },
      this.own,
    );
    const topic = queue.subscription === undefined ? undefined : this.topics.get(queue.subscription.topic);
    this.declarePolicy(queue.name, made, topic);
    this.declarePolicy(queue.deadLetterQueue.name, deadLetters, topic);
    if (queue.subscription !== undefined && topic !== undefined)
      new sns.TopicSubscription(
        queue.name,
        {
          topic: topic.arn,
          protocol: 'sqs',
          endpoint: made.arn,
          rawMessageDelivery: true,
          // What SNS cannot hand over lands where everything that was given up lands.
          redrivePolicy: json({ deadLetterTargetArn: deadLetters.arn }),
          ...(queue.subscription.filter === undefined
            ? {}
            : { filterPolicyScope: 'MessageAttributes', filterPolicy: JSON.stringify(queue.subscription.filter) }),
        },
        this.own,
      );
    return { queue: made, deadLetters };
  }

  private declarePolicy(name: string, queue: sqs.Queue, topic: sns.Topic | undefined): void {
    new sqs.QueuePolicy(
      name,
      {
        queueUrl: queue.url,
        policy: json<PolicyDocument>({
          Version: '2012-10-17',
          Statement: [
            tlsOnly('sqs:*', queue.arn),
            ...(topic === undefined
              ? []
              : [
                  {
                    Sid: 'TopicDelivers',
                    Effect: 'Allow' as const,
                    Principal: { Service: 'sns.amazonaws.com' },
                    Action: 'sqs:SendMessage',
                    Resource: queue.arn,
                    Condition: { ArnEquals: { 'aws:SourceArn': topic.arn } },
                  },
                ]),
          ],
        }),
      },
      this.own,
    );
  }
}
