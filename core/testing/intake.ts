import { type Message, ReceiveMessageCommand, type SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';
import { waitFor } from './wait-for.ts';

/** What a test needs to play producer and operator on real queues. */
export const stringAttributes = (attributes: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
  );

let sent = 0;

/** Sends a body as it is; to a FIFO queue in the given group, with a deduplication id of its own. */
export async function sendBody(
  sqs: SQSClient,
  queueUrl: string,
  body: string,
  options: { group?: string; attributes?: Record<string, string> } = {},
): Promise<void> {
  sent += 1;
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: body,
      ...(options.attributes === undefined ? {} : { MessageAttributes: stringAttributes(options.attributes) }),
      ...(queueUrl.endsWith('.fifo')
        ? { MessageGroupId: options.group ?? 'g', MessageDeduplicationId: `d${process.pid}-${sent}` }
        : {}),
    }),
  );
}

/** Receives until `count` messages came, each of them once. */
export async function receiveAll(
  sqs: SQSClient,
  queueUrl: string,
  count: number,
  visibilitySeconds = 60,
): Promise<Message[]> {
  const messages: Message[] = [];
  await waitFor(`${count} messages in ${queueUrl}`, async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
        VisibilityTimeout: visibilitySeconds,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
    );
    messages.push(...Messages);
    return messages.length >= count;
  });
  return messages;
}

export const attributesOf = (message: Message | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(message?.MessageAttributes ?? {}).map(([name, { StringValue }]) => [name, StringValue ?? '']),
  );
