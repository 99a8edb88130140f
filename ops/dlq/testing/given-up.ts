import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { resolveAddresses } from '../../../core/clients/addresses.ts';
import { connectDynamoDB } from '../../../core/clients/dynamodb.ts';
import { connectS3 } from '../../../core/clients/s3.ts';
import { connectSNS } from '../../../core/clients/sns.ts';
import { connectSQS } from '../../../core/clients/sqs.ts';
import { type HandlerModule, done } from '../../../core/events/handler.ts';
import { registry } from '../../../core/events/registry.ts';
import { topologyOf } from '../../../core/events/topology.ts';
import { systemClock as clock } from '../../../core/runtime/clock.ts';
import { LanewayError } from '../../../core/runtime/errors.ts';
import { silentLog } from '../../../core/runtime/log.ts';
import { asRole } from '../../../core/testing/as-role.ts';
import { receiveAll, sendBody } from '../../../core/testing/intake.ts';
import { waitFor } from '../../../core/testing/wait-for.ts';
import type { World } from '../../../core/testing/world.ts';
import { createAcceptBatches } from '../../../workers/accept-batch.ts';
import { type LaneEnd, workLane } from '../../../workers/act.ts';
import { createTestInHand } from '../../../workers/testing/in-hand.ts';
import { createAdmission } from '../../../workers/admit.ts';
import { createDedupe } from '../../../workers/dedupe.ts';
import { createOutboxRelay } from '../../../workers/outbox-relay.ts';
import { createPipeline } from '../../../workers/pipeline.ts';
import { provision } from '../../local/provision.ts';
import type { Said } from '../../operator-command.ts';
import type { DlqCommand } from '../parse-arguments.ts';
import { runDlqCommand } from '../run-command.ts';

export const PRODUCTS = 'ProductSyncEventsQueue';
export const PRODUCTS_DLQ = 'ProductSyncEventsDLQ';
export const HANDLER = 'handleProductCoreUpdate';
const place = { region: 'eu-central-1', account: '000000000000' };

/** A product event as its producer sends it. */
export const product = (eventId: string, merchantId: string, productId = 'sku-1'): string =>
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

/**
 * The whole path from queue to dead letter on real stores, step by step, with a handler that gives up on the events of
 * `broken`. The world goes with it.
 */
export async function setUpGivenUp(world: World) {
  const operator = asRole(world, 'laneway_operator');
  const aws = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  await provision(aws, { registry, stack: world.stack, ...place });
  const topology = topologyOf(registry, world.stack);
  const addresses = await resolveAddresses(aws.sqs, topology, place);
  const { db, pool } = world.postgres;
  const broken = new Set<string>();
  const failing: HandlerModule = {
    handle: (event) => {
      if (broken.has(event.eventId)) throw new LanewayError('payload.invalid', `cannot do ${event.eventId}`);
      return Promise.resolve(done);
    },
  };
  const passing: HandlerModule = { handle: () => Promise.resolve(done) };
  const names = [...registry.values()].flatMap(({ handlers }) => handlers.map(({ name }) => name));
  const deps = {
    registry,
    handlers: new Map(names.map((name) => [name, name === HANDLER ? failing : passing])),
    random: () => 0,
    pool,
    clock,
    worker: 'test-worker',
    windowEvents: 10,
    windowBytes: 1_000_000,
    quantumWindows: 100,
    quantumMs: 60_000,
    leaseMs: 30_000,
    inHand: createTestInHand(),
    committed: () => undefined,
  };
  const visit = (merchantId: string): Promise<LaneEnd> =>
    workLane(deps, merchantId, { careful: false, stop: new AbortController().signal });
  const relay = createOutboxRelay({ db, ...aws, addresses, worker: 'test', clock, log: silentLog });
  relay.start();
  const dedupe = createDedupe({ ...aws, table: `${world.stack}-dedupe`, clock, log: silentLog, dedupeDays: 90 });
  const batches = createAcceptBatches({ run: createAdmission({ db, dedupe, clock, purgeDays: 30 }), clock });
  const queueUrl = (name: string) => addresses.queueUrl(name);
  const queue = topology.queues.find(({ name }) => name === PRODUCTS);
  if (queue === undefined) throw new Error(`no queue ${PRODUCTS}`);
  const pipeline = createPipeline({
    ...aws,
    queue,
    queueUrl: queueUrl(PRODUCTS),
    deadLetterUrl: queueUrl(PRODUCTS_DLQ),
    bucket: `${world.stack}-dead-letters`,
    registry,
    db,
    hmacKey: 'a key for tests only',
    admit: batches.accept,
    wake: (entries) => Promise.resolve(entries.map(({ merchantId }) => merchantId)),
    random: () => 1,
    clock,
    log: silentLog,
  });
  const left = async (name: string): Promise<number> => {
    const { Attributes } = await aws.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl(name), AttributeNames: ['All'] }),
    );
    return (
      Number(Attributes?.['ApproximateNumberOfMessages']) +
      Number(Attributes?.['ApproximateNumberOfMessagesNotVisible'])
    );
  };
  /** As an operator; a lane that is woken is worked at once. */
  const say = (command: DlqCommand): Promise<Said> =>
    runDlqCommand(
      { db: operator.db, registry, sqs: aws.sqs, clock, queueUrl, sourceOf: () => PRODUCTS, wake: visit },
      command,
    );
  return {
    world,
    db,
    sqs: aws.sqs,
    broken,
    /** Event ids in the order in which the handler's effects were committed. */
    async applied(): Promise<string[]> {
      const rows = await db
        .selectFrom('applied')
        .select('event_id')
        .where('handler', '=', HANDLER)
        .orderBy('settled_seq')
        .execute();
      return rows.map((row) => row.event_id);
    },
    visit,
    queueUrl,
    left,
    send: (body: string, group = 'g') => sendBody(aws.sqs, queueUrl(PRODUCTS), body, { group }),
    /** Takes what lies on the queue through the pipeline. */
    async intake(count: number) {
      return await pipeline.handleBatch(await receiveAll(aws.sqs, queueUrl(PRODUCTS), count));
    },
    lettersArrive: (count: number) =>
      waitFor(`${count} dead letters`, async () => (await left(PRODUCTS_DLQ)) === count),
    /** As an operator. */
    find: { db: operator.db, sqs: aws.sqs, registry, queueUrl },
    say,
    async run(command: DlqCommand): Promise<Record<string, unknown>> {
      return (await say(command)).value as Record<string, unknown>;
    },
    async [Symbol.asyncDispose]() {
      await relay.stop();
      await dedupe.flush();
      Object.values(aws).forEach((client) => client.destroy());
      await operator.close();
      await world[Symbol.asyncDispose]();
    },
  };
}
