import { createServer } from 'node:http';
import type { Message } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { connectPostgres } from '../../../core/clients/postgres.ts';
import { connectSQS } from '../../../core/clients/sqs.ts';
import { exitWithParent } from '../../local/child-process.ts';
import { applyInTransaction } from './bare-loop.ts';

/**
 * The program that one writes first: sqs-consumer on a FIFO queue, a transaction per event. Used well: full batches,
 * several consumers, messages of one group in their order and groups side by side, one delete for the batch.
 */
const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const consumers = Number(setting('CONSUMERS'));
const { pool } = connectPostgres({
  url: setting('POSTGRES_URL'),
  poolSize: 20,
  applicationName: 'sqs-consumer',
  statementTimeoutMs: 30_000,
  idleInTransactionTimeoutMs: 30_000,
});
/** Whoever gives it none gets one that it makes itself, as most programs do. */
const client = setting('CLIENT') === 'ours' ? { sqs: connectSQS() } : {};

async function applyBatch(messages: Message[]): Promise<Message[]> {
  const groups = Map.groupBy(messages, (message) => message.Attributes?.MessageGroupId);
  await Promise.all(
    [...groups.values()].map(async (own) => {
      const client = await pool.connect();
      try {
        for (const { Body = '' } of own) await applyInTransaction(client, Body);
      } finally {
        client.release();
      }
    }),
  );
  return messages;
}

const running = Array.from({ length: consumers }, () =>
  Consumer.create({
    queueUrl: setting('QUEUE_URL'),
    ...client,
    batchSize: 10,
    waitTimeSeconds: 20,
    visibilityTimeout: 30,
    messageSystemAttributeNames: ['MessageGroupId'],
    handleMessageBatch: applyBatch,
    suppressFifoWarning: true,
  }),
);
for (const consumer of running) {
  consumer.on('error', (error) => console.error(error));
  consumer.on('processing_error', (error) => console.error(error));
  consumer.start();
}
createServer((_, response) => response.end('ready')).listen(Number(setting('PORT')), '127.0.0.1');
exitWithParent(() => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
