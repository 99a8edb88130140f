import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { resolveAddresses } from '../../core/clients/addresses.ts';
import { connectDynamoDB } from '../../core/clients/dynamodb.ts';
import { connectS3 } from '../../core/clients/s3.ts';
import { connectSNS } from '../../core/clients/sns.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { type Registry, registry } from '../../core/events/registry.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { silentLog } from '../../core/runtime/log.ts';
import { receiveAll } from '../../core/testing/intake.ts';
import { createWorld } from '../../core/testing/world.ts';
import { createAcceptBatches } from '../accept-batch.ts';
import { createAdmission } from '../admit.ts';
import { createDedupe } from '../dedupe.ts';
import { type BatchSummary, createPipeline } from '../pipeline.ts';
import type { WakeEntry } from '../wake-entries.ts';

export const HMAC_KEY = 'a key for tests only';
export const PRODUCTS = 'ProductSyncEventsQueue';
export const PERFORMANCE = 'AnalyticsPerformanceProcessingQueue';

const connectAll = () => ({ sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() });

/** Makes the queues, which only a test may reach for. */
type Provision = (
  aws: ReturnType<typeof connectAll>,
  made: { registry: Registry; stack: string; region: string; account: string },
) => Promise<unknown>;

/** Real queues, a real database, and a wake that the test can make fail. */
export async function setUp(provision: Provision) {
  const world = await createWorld();
  const aws = connectAll();
  const place = { region: 'eu-central-1', account: '000000000000' };
  await provision(aws, { registry, stack: world.stack, ...place });
  const topology = topologyOf(registry, world.stack);
  const addresses = await resolveAddresses(aws.sqs, topology, place);
  const { db } = world.postgres;
  const dedupe = createDedupe({ ...aws, table: `${world.stack}-dedupe`, clock, log: silentLog, dedupeDays: 90 });
  const batches = createAcceptBatches({ run: createAdmission({ db, dedupe, clock, purgeDays: 30 }), clock });
  const woken: WakeEntry[][] = [];
  const sleepy = new Set<string>();
  const wake = (entries: readonly WakeEntry[]) => {
    woken.push([...entries]);
    return Promise.resolve(entries.map((entry) => entry.merchantId).filter((merchant) => !sleepy.has(merchant)));
  };
  const time = { aheadMs: 0 };
  const movable = { ...clock, now: () => clock.now() + time.aheadMs };
  const pipelineOf = (name: string, overrides: Partial<Parameters<typeof createPipeline>[0]> = {}) => {
    const queue = topology.queues.find((each) => each.name === name);
    if (queue === undefined) throw new Error(`no queue ${name}`);
    return createPipeline({
      ...aws,
      queue,
      queueUrl: addresses.queueUrl(name),
      deadLetterUrl: addresses.queueUrl(queue.deadLetterQueue.name),
      bucket: `${world.stack}-dead-letters`,
      registry,
      db,
      hmacKey: HMAC_KEY,
      admit: batches.accept,
      wake,
      random: () => 1,
      clock: movable,
      log: silentLog,
      ...overrides,
    });
  };
  return {
    ...aws,
    stack: world.stack,
    db,
    time,
    woken,
    sleepy,
    batches,
    addresses,
    url: (name: string) => addresses.queueUrl(name),
    /** Receives what was sent and runs it through the pipeline of its queue. */
    async run(name: string, count: number, visibilitySeconds?: number): Promise<BatchSummary> {
      const messages = await receiveAll(aws.sqs, addresses.queueUrl(name), count, visibilitySeconds);
      return await pipelineOf(name).handleBatch(messages);
    },
    pipelineOf,
    /** Visible and invisible messages. */
    async left(name: string): Promise<number> {
      const { Attributes } = await aws.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: addresses.queueUrl(name), AttributeNames: ['All'] }),
      );
      return (
        Number(Attributes?.['ApproximateNumberOfMessages']) +
        Number(Attributes?.['ApproximateNumberOfMessagesNotVisible'])
      );
    },
    async inbox() {
      return await db.selectFrom('inbox').selectAll().orderBy('merchant_id').orderBy('mseq').execute();
    },
    async [Symbol.asyncDispose]() {
      await dedupe.flush();
      Object.values(aws).forEach((client) => client.destroy());
      await world[Symbol.asyncDispose]();
    },
  };
}

export const product = (eventId: string, merchantId: string, productId = 'sku-1') =>
  JSON.stringify({
    eventId,
    eventType: 'ProductCoreDataUpdatedEvent',
    eventVersion: '1.0.0',
    timestamp: '2026-11-23T10:15:01Z',
    sourceService: 'CorePlatform',
    correlationId: `cor-${eventId}`,
    merchantId,
    payload: { productId, operationType: 'update', timestamp: '2026-11-23T10:15:00Z' },
  });

export const performance = (eventId: string, metrics: Record<string, unknown> = {}) =>
  JSON.stringify({
    eventId,
    eventType: 'AdPerformanceDataIngestedEvent',
    eventVersion: '1.0.0',
    timestamp: '2026-11-23T06:00:01Z',
    sourceService: 'AdNetworkIntegrationService',
    correlationId: 'cor-1',
    merchantId: 'shop-1',
    payload: {
      adNetworkId: 'meta',
      reportDate: '2026-11-22',
      metricsPayload: { impressions: 10, clicks: 1, conversions: 0, spendMicros: 5, currency: 'EUR', ...metrics },
      timestamp: '2026-11-23T06:00:00Z',
    },
  });
