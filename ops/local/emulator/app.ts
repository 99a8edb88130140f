import { buildApp } from 'fauxqs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EmulatorClock } from './clock.ts';
import {
  FileS3Persistence,
  loadSqsAction,
  S3Store,
  SnsError,
  SnsStore,
  snsErrorResponse,
  SqsError,
} from './fauxqs-internals.ts';
import { createMessageMoves } from './message-moves.ts';
import { QueueStore } from './queue-store.ts';
import { type Form, publish, publishBatch, type Stores } from './sns-publish.ts';
import { refuseFaultyAttribute, refuseFaultySubscription } from './sns-subscriptions.ts';
import { getQueueAttributes, listDeadLetterSourceQueues, refuseFaultyQueue, setQueueAttributes } from './sqs-queues.ts';
import { receiveMessage } from './sqs-receive.ts';
import { sendMessage, sendMessageBatch } from './sqs-send.ts';
import {
  changeMessageVisibility,
  changeMessageVisibilityBatch,
  deleteMessage,
  deleteMessageBatch,
} from './sqs-settle.ts';

/**
 * fauxqs serves HTTP, S3, tags and the plain parts of SQS and SNS. In front of its routes stands a hook that answers
 * the actions on whose exact behaviour the product relies; nothing of fauxqs is patched. Not there: permissions,
 * encryption, ReceiveRequestAttemptId, protocols of SNS other than sqs.
 */
export async function createEmulator(clock: EmulatorClock, s3Dir?: string) {
  const stores: Stores = { queues: new QueueStore(clock), topics: new SnsStore() };
  const s3Store = new S3Store();
  if (s3Dir !== undefined) {
    const files = new FileS3Persistence(s3Dir);
    files.loadS3(s3Store);
    s3Store.persistence = files;
  }
  const app = buildApp({ logger: false, stores: { sqsStore: stores.queues, snsStore: stores.topics, s3Store } });
  const sqs = await sqsActions(stores.queues);

  app.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST' || request.url !== '/') return;
    const contentType = request.headers['content-type'] ?? '';
    if (contentType.includes('application/x-amz-json-1.0')) {
      const action = sqs[String(request.headers['x-amz-target']).replace('AmazonSQS.', '')];
      if (action !== undefined) await answerSqs(reply, () => action(request, reply));
    } else if (contentType.includes('application/x-www-form-urlencoded')) {
      answerSns(reply, stores, request);
    }
  });

  app.post<{ Querystring: { advanceMs?: string } }>('/_emulator/clock', (request) => {
    clock.advance(Number(request.query.advanceMs ?? 0));
    return { now: clock.now() };
  });
  return { app, stores };
}

type SqsAction = (request: FastifyRequest, reply: FastifyReply) => unknown;

async function sqsActions(queues: QueueStore): Promise<Record<string, SqsAction>> {
  const fauxqs = async (name: string, before?: (store: QueueStore, body: unknown) => void): Promise<SqsAction> => {
    const name0 = name.charAt(0).toLowerCase() + name.slice(1);
    const action = await loadSqsAction(name0, name0);
    return (request) => {
      before?.(queues, request.body);
      // Parsed by fauxqs's own parser for this content type, which yields an object.
      return action(request.body as Record<string, unknown>, queues, request);
    };
  };
  const ours =
    (action: (store: QueueStore, body: unknown) => unknown): SqsAction =>
    (request) =>
      action(queues, request.body);
  const moves = createMessageMoves(queues);
  return {
    CreateQueue: await fauxqs('CreateQueue', refuseFaultyQueue),
    DeleteQueue: await fauxqs('DeleteQueue'),
    GetQueueUrl: await fauxqs('GetQueueUrl'),
    ListQueues: await fauxqs('ListQueues'),
    PurgeQueue: await fauxqs('PurgeQueue'),
    TagQueue: await fauxqs('TagQueue'),
    UntagQueue: await fauxqs('UntagQueue'),
    ListQueueTags: await fauxqs('ListQueueTags'),
    GetQueueAttributes: ours(getQueueAttributes),
    SetQueueAttributes: ours(setQueueAttributes),
    SendMessage: ours(sendMessage),
    SendMessageBatch: ours(sendMessageBatch),
    ReceiveMessage: (request, reply) => receiveMessage(queues, request, reply),
    DeleteMessage: ours(deleteMessage),
    DeleteMessageBatch: ours(deleteMessageBatch),
    ChangeMessageVisibility: ours(changeMessageVisibility),
    ChangeMessageVisibilityBatch: ours(changeMessageVisibilityBatch),
    ListDeadLetterSourceQueues: ours(listDeadLetterSourceQueues),
    StartMessageMoveTask: ours((_, body) => moves.start(body)),
    ListMessageMoveTasks: ours((_, body) => moves.list(body)),
    CancelMessageMoveTask: ours((_, body) => moves.cancel(body)),
  };
}

async function answerSqs(reply: FastifyReply, act: () => unknown): Promise<void> {
  reply.header('content-type', 'application/x-amz-json-1.0');
  try {
    await reply.send(await act());
  } catch (error) {
    if (!(error instanceof SqsError)) throw error;
    await reply.status(error.statusCode).header('x-amzn-query-error', queryErrorOf(error)).send(error.toJSON());
  }
}

/** The codes of the older protocol, which SDKs show as `Code`. Only some of them carry the service's prefix. */
function queryErrorOf(error: SqsError): string {
  const prefix = prefixedCodes.has(error.queryCode) ? 'AWS.SimpleQueueService.' : '';
  return `${prefix}${error.queryCode};${error.senderFault ? 'Sender' : 'Receiver'}`;
}

const prefixedCodes = new Set([
  ...[
    'NonExistentQueue',
    'BatchEntryIdsNotDistinct',
    'BatchRequestTooLong',
    'EmptyBatchRequest',
    'InvalidBatchEntryId',
  ],
  ...['TooManyEntriesInBatchRequest', 'MessageNotInflight', 'PurgeQueueInProgress', 'UnsupportedOperation'],
]);

/** Answers what is ours and lets fauxqs answer the rest. */
function answerSns(reply: FastifyReply, stores: Stores, request: FastifyRequest): void {
  // Parsed by fauxqs's own parser for this content type: a flat object of strings.
  const form = request.body as Form;
  const trace = request.headers['x-amzn-trace-id'];
  const traceHeader = typeof trace === 'string' ? trace : undefined;
  try {
    switch (form['Action']) {
      case 'Publish':
        reply.header('content-type', 'text/xml').send(publish(stores, form, traceHeader));
        return;
      case 'PublishBatch':
        reply.header('content-type', 'text/xml').send(publishBatch(stores, form, traceHeader));
        return;
      case 'Subscribe':
        refuseFaultySubscription(stores, form);
        return;
      case 'SetSubscriptionAttributes':
        refuseFaultyAttribute(form['AttributeName'], form['AttributeValue']);
        return;
      default:
    }
  } catch (error) {
    if (!(error instanceof SnsError)) throw error;
    const type = error.senderFault ? 'Sender' : 'Receiver';
    reply
      .status(error.statusCode)
      .header('content-type', 'text/xml')
      .send(snsErrorResponse(error.code, error.message, type));
  }
}
