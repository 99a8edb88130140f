import { GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { type Topology, topicArn } from '../events/topology.ts';
import { LanewayError } from '../runtime/errors.ts';

/** Where the specification's queues and topics are, dead-letter queues included. */
export interface Addresses {
  /** Throws for a name that the topology does not have. */
  queueUrl(name: string): string;
  topicArn(name: string): string;
  queues: Readonly<Record<string, string>>;
  topics: Readonly<Record<string, string>>;
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && /QueueDoesNotExist|NonExistentQueue/.test(error.name);

/**
 * Asks SQS for the URL of every queue. Rejects with `config.invalid` naming all queues that do not exist, or with
 * `service.unavailable` when SQS cannot be asked.
 */
export async function resolveAddresses(
  sqs: SQSClient,
  topology: Topology,
  { region, account }: { region: string; account: string },
): Promise<Addresses> {
  const wanted = topology.queues.flatMap((queue) => [queue, queue.deadLetterQueue]);
  const missing: string[] = [];
  const found = await Promise.all(
    wanted.map(async ({ name, physicalName }): Promise<[string, string]> => {
      try {
        const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: physicalName }));
        return [name, QueueUrl ?? ''];
      } catch (error) {
        if (!isMissing(error))
          throw new LanewayError('service.unavailable', `SQS did not say where ${physicalName} is`, {
            retry: 'backoff',
            cause: error,
          });
        missing.push(physicalName);
        return [name, ''];
      }
    }),
  );
  if (missing.length > 0)
    throw new LanewayError(
      'config.invalid',
      `queues do not exist in ${region}: ${[...new Set(missing)].toSorted().join(', ')}. Provision the stack first`,
    );
  const queues = Object.fromEntries(found);
  const topics = Object.fromEntries(
    topology.topics.map(({ name, physicalName }) => [name, topicArn(region, account, physicalName)]),
  );
  return { queues, topics, queueUrl: lookUp('queue', queues), topicArn: lookUp('topic', topics) };
}

const lookUp =
  (kind: string, addresses: Readonly<Record<string, string>>) =>
  (name: string): string => {
    const address = addresses[name];
    if (address === undefined) throw new LanewayError('config.invalid', `there is no ${kind} named ${name}`);
    return address;
  };
