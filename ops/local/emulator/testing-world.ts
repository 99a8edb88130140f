import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  type QueueAttributeName,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { startEmulator } from './start.ts';

type Attributes = Partial<Record<QueueAttributeName, string>>;

/** The emulator as a process of its own and the SDK's real client in front of it. */
export async function emulatorWorld() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-emulator-'));
  const stateFile = join(dir, 'state.json');
  const start = (port?: number) =>
    startEmulator({ stateFile, logFile: join(dir, 'log'), ...(port === undefined ? {} : { port }) });
  let emulator = await start();
  const { port } = emulator;
  const connection = {
    endpoint: emulator.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  const sqs = new SQSClient(connection);
  let made = 0;

  const makeQueue = async (name: string, attributes: Attributes): Promise<string> => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
    if (QueueUrl === undefined) throw new Error('a queue without a URL');
    return QueueUrl;
  };
  const attribute = async (url: string, name: QueueAttributeName): Promise<string> => {
    const found = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [name] }));
    return found.Attributes?.[name] ?? '';
  };
  const send = (url: string, body: string, more: Partial<SendMessageCommandInput> = {}) =>
    sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, ...more }));

  return {
    sqs,
    connection,
    standardQueue: (attributes: Attributes = {}) => makeQueue(`standard-${++made}`, attributes),
    fifoQueue: (attributes: Attributes = {}) => makeQueue(`fifo-${++made}.fifo`, { FifoQueue: 'true', ...attributes }),
    attribute,
    arn: (url: string) => attribute(url, 'QueueArn'),
    /** Visible, in flight, delayed. */
    counts: async (url: string) => [
      await attribute(url, 'ApproximateNumberOfMessages'),
      await attribute(url, 'ApproximateNumberOfMessagesNotVisible'),
      await attribute(url, 'ApproximateNumberOfMessagesDelayed'),
    ],
    send,
    /** With a deduplication id of its own. */
    sendTo: (url: string, group: string, body: string, more: Partial<SendMessageCommandInput> = {}) =>
      send(url, body, { MessageGroupId: group, MessageDeduplicationId: `${++made}`, ...more }),
    /** Ten at a time. */
    sendMany: async (url: string, messages: readonly { group: string; id: string; body: string }[]) => {
      for (let i = 0; i < messages.length; i += 10) {
        const Entries = messages.slice(i, i + 10).map(({ group, id, body }, place) => ({
          Id: String(place),
          MessageBody: body,
          MessageGroupId: group,
          MessageDeduplicationId: id,
        }));
        const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }));
        if (Failed.length > 0) throw new Error(`not sent: ${JSON.stringify(Failed)}`);
      }
    },
    receive: async (url: string, more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message[]> => {
      const input = { QueueUrl: url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All' as const], ...more };
      return (await sqs.send(new ReceiveMessageCommand(input))).Messages ?? [];
    },
    remove: async (url: string, messages: readonly Message[]) => {
      for (const { ReceiptHandle } of messages)
        await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
    },
    /** Lets the emulator's time pass. */
    advance: async (ms: number) => {
      await fetch(`${connection.endpoint}/_emulator/clock?advanceMs=${ms}`, { method: 'POST' });
    },
    restart: async () => {
      await emulator.stop();
      emulator = await start(port);
    },
    async [Symbol.asyncDispose]() {
      sqs.destroy();
      await emulator.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const bodies = (messages: readonly Message[]) => messages.map(({ Body }) => Body);

/** The name of what a call threw, or "nothing". */
export async function errorOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'nothing';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
