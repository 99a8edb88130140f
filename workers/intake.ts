import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import type { Addresses } from '../core/clients/addresses.ts';
import type { Database } from '../core/database/tables.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Topology } from '../core/events/topology.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { Config } from '../core/runtime/config.ts';
import type { Keyring } from '../core/people/keyring.ts';
import { storeNames } from '../core/runtime/store-names.ts';
import type { Log } from '../core/runtime/log.ts';
import { createAcceptBatches } from './accept-batch.ts';
import { createAdmission } from './admit.ts';
import { type Dedupe, createDedupe } from './dedupe.ts';
import { createInFlight } from './in-flight.ts';
import { type PipelineDependencies, createPipeline } from './pipeline.ts';
import { type Poller, createPoller } from './poll.ts';

export interface Intake {
  start(): void;
  /** Resolves when no message is in flight and every mark is written. */
  stop(): Promise<void>;
  /** Makes sure that the long memory has these marks: see dedupe.ts. */
  remember: Dedupe['remember'];
  /** By the queue's name. */
  report(): Record<string, { lastReceiveAgeMs: number | undefined; state: string }>;
}

export interface IntakeOptions {
  config: Pick<
    Config,
    | 'stack'
    | 'bucketSuffix'
    | 'bodyHmacKey'
    | 'dedupeDays'
    | 'purgeDays'
    | 'receivesPerQueue'
    | 'pollWaitSeconds'
    | 'visibilitySeconds'
    | 'inFlightMessages'
    | 'inFlightBytes'
  >;
  topology: Topology;
  registry: Registry;
  addresses: Addresses;
  db: Kysely<Database>;
  sqs: SQSClient;
  s3: S3Client;
  dynamodb: DynamoDBClient;
  clock: Clock;
  log: Log;
  mayPoll: () => boolean | Promise<boolean>;
  wake: PipelineDependencies['wake'];
  /** Told how many messages of a queue became inbox rows. */
  accepted?: (queue: string, count: number) => void;
  keyring?: Keyring | undefined;
}

/** A poller and a pipeline for every queue; all of them accept through the same batches and share one long memory. */
export function createIntake(options: IntakeOptions): Intake {
  const { config, topology, addresses, db, sqs, s3, clock, log } = options;
  const names = storeNames(config.stack, config.bucketSuffix);
  const dedupe = createDedupe({
    dynamodb: options.dynamodb,
    table: names.dedupeTable,
    clock,
    log,
    dedupeDays: config.dedupeDays,
  });
  // Each queue has a cap of its own too: one that is slow does not keep the others from receiving.
  const shared = createInFlight({ maxMessages: config.inFlightMessages, maxBytes: config.inFlightBytes });
  const batches = createAcceptBatches({
    run: createAdmission({ db, dedupe, clock, purgeDays: config.purgeDays }),
    clock,
  });
  const pollers = topology.queues.map((queue): Poller => {
    const queueUrl = addresses.queueUrl(queue.name);
    const queueLog = log.child({ queue: queue.name });
    const pipeline = createPipeline({
      queue,
      queueUrl,
      deadLetterUrl: addresses.queueUrl(queue.deadLetterQueue.name),
      registry: options.registry,
      db,
      sqs,
      s3,
      bucket: names.deadLetterBucket,
      keyring: options.keyring,
      hmacKey: config.bodyHmacKey,
      admit: batches.accept,
      wake: options.wake,
      random: Math.random,
      clock,
      log: queueLog,
    });
    return createPoller({
      queue,
      queueUrl,
      sqs,
      receives: config.receivesPerQueue,
      waitSeconds: config.pollWaitSeconds,
      visibilitySeconds: config.visibilitySeconds,
      handleBatch: async (messages) => {
        const summary = await pipeline.handleBatch(messages);
        options.accepted?.(queue.name, summary.accepted);
        return summary;
      },
      mayPoll: options.mayPoll,
      shared,
      log: queueLog,
      clock,
    });
  });
  return {
    start() {
      for (const poller of pollers) poller.start();
    },
    async stop() {
      await Promise.all(pollers.map((poller) => poller.stop()));
      await dedupe.flush();
    },
    remember: dedupe.remember,
    report: () =>
      Object.fromEntries(
        pollers.map(({ queueName, lastReceiveAt, state }) => [
          queueName,
          { lastReceiveAgeMs: lastReceiveAt === undefined ? undefined : clock.now() - lastReceiveAt, state },
        ]),
      ),
  };
}
