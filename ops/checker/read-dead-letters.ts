import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import type { DeadLetterMessage } from './evidence.ts';

/**
 * Takes everything out of dead-letter queues. It deletes what it reads: as long as a message of a group is only in flight,
 * a FIFO queue hides the ones behind it. So this is for stacks that are thrown away afterwards.
 */
export async function drainDeadLetters(
  sqs: SQSClient,
  queues: Readonly<Record<string, string>>,
): Promise<DeadLetterMessage[]> {
  const found: DeadLetterMessage[] = [];
  for (const [queue, url] of Object.entries(queues)) {
    for (let empty = 0; empty < 2;) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: url,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 0,
          VisibilityTimeout: 60,
          MessageAttributeNames: ['All'],
        }),
      );
      empty = Messages.length === 0 ? empty + 1 : 0;
      if (Messages.length === 0) continue;
      found.push(...Messages.map((message) => readLetter(queue, message)));
      const { Failed = [] } = await sqs.send(
        new DeleteMessageBatchCommand({
          QueueUrl: url,
          Entries: Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
        }),
      );
      if (Failed.length > 0) throw new Error(`cannot delete from ${queue}: ${Failed[0]?.Message ?? ''}`);
    }
  }
  return found;
}

const ids = z.looseObject({
  eventId: z.string().optional(),
  merchantId: z.string().optional(),
  payload: z.looseObject({ merchantId: z.string().optional() }).optional(),
});

function readLetter(queue: string, { Body = '', MessageAttributes = {} }: Message): DeadLetterMessage {
  const attribute = (name: string) => MessageAttributes[name]?.StringValue ?? '';
  const { eventId, merchantId, payload } = idsIn(Body);
  return {
    queue,
    body: Body,
    eventId,
    merchantId: merchantId ?? payload?.merchantId,
    handler: attribute('handler'),
    errorCode: attribute('errorCode'),
  };
}

function idsIn(body: string): z.infer<typeof ids> {
  try {
    const parsed = ids.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data : {};
  } catch {
    // What is not JSON names no event.
    return {};
  }
}
