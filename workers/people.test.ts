import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { workLane } from './act.ts';
import { createAcceptBatches } from './accept-batch.ts';
import { createAdmission } from './admit.ts';
import { createDedupe } from './dedupe.ts';
import { createLanes } from './lanes.ts';
import { createOutboxRelay } from './outbox-relay.ts';
import { createPipeline } from './pipeline.ts';
import { each, oneEventSystem } from './testing/one-event-system.ts';
import { resolveAddresses } from '../core/clients/addresses.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { connectRedis } from '../core/clients/redis.ts';
import { connectS3 } from '../core/clients/s3.ts';
import { connectSNS } from '../core/clients/sns.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { done } from '../core/events/handler.ts';
import { createRegistry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import { eraseSubject } from '../core/people/subject-keys.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { silentLog } from '../core/runtime/log.ts';
import { receiveAll, sendBody } from '../core/testing/intake.ts';
import { testKeyring as keyring } from '../core/testing/keyring.ts';
import { searchDynamo, searchPostgres, searchRedis, searchS3 } from '../core/testing/search-stores.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { provision } from '../ops/local/provision.ts';

const SECRET = 'Wilhelmina Quartz, 4 Harbour Street';
const PLAIN = 'a remark about nobody';
const about = z.looseObject({ customerId: z.string() });

/** The path of an event from its queue to its end, with one event type that may be about a person. */
async function setUp() {
  const world = await createWorld();
  const { db } = world.postgres;
  const aws = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  const redis = connectRedis(world.redisUrl, world.stack);
  const read: string[] = [];
  const system = oneEventSystem(
    world,
    each((n, { payload }) => {
      if (n === 2) throw new LanewayError('payload.invalid', 'refused by the handler');
      read.push(`${n} ${String(payload['text'])}`);
      return done;
    }),
  );
  const registry = createRegistry(
    [...system.registry.values()].map((event) => ({
      ...event,
      person: (payload: unknown) => about.safeParse(payload).data?.customerId,
    })),
  );
  const place = { region: 'eu-central-1', account: '000000000000' };
  await provision(aws, { registry, stack: world.stack, ...place });
  const topology = topologyOf(registry, world.stack);
  const addresses = await resolveAddresses(aws.sqs, topology, place);
  const dedupe = createDedupe({ ...aws, table: `${world.stack}-dedupe`, clock, log: silentLog, dedupeDays: 90 });
  const batches = createAcceptBatches({ run: createAdmission({ db, dedupe, clock, purgeDays: 30 }), clock });
  const lanes = createLanes({ redis, prefix: world.stack, cap: 100, memoryShare: () => 0, clock, log: silentLog });
  const [queue] = topology.queues;
  if (queue === undefined) throw new Error('a system has a queue');
  const url = addresses.queueUrl(queue.name);
  const deadLetterUrl = addresses.queueUrl(queue.deadLetterQueue.name);
  const pipeline = createPipeline({
    ...aws,
    queue,
    queueUrl: url,
    deadLetterUrl,
    bucket: `${world.stack}-dead-letters`,
    registry,
    db,
    keyring,
    hmacKey: 'a key for tests only',
    admit: batches.accept,
    wake: async (entries) => {
      await lanes.addPointers(entries);
      return entries.map((entry) => entry.merchantId);
    },
    random: () => 1,
    clock,
    log: silentLog,
  });
  return {
    db,
    read,
    /** Sends events of shop-1 and takes them in. */
    async take(events: readonly { n: number; text: string; customerId?: string; at?: string }[]) {
      for (const { at = new Date(clock.now()).toISOString(), ...payload } of events)
        await sendBody(
          aws.sqs,
          url,
          JSON.stringify({
            eventId: `e-${payload.n}`,
            eventType: 'TestEvent',
            eventVersion: '1.0.0',
            timestamp: at,
            sourceService: 'test',
            correlationId: `cor-${payload.n}`,
            merchantId: 'shop-1',
            payload,
          }),
          { group: 'shop-1' },
        );
      const summary = await pipeline.handleBatch(await receiveAll(aws.sqs, url, events.length));
      assert.is(summary.accepted, events.length);
    },
    work: () =>
      workLane({ ...system.deps, registry, keyring, windowEvents: 10 }, 'shop-1', {
        careful: false,
        stop: new AbortController().signal,
      }),
    /** Publishes what lies in the outbox, and reads the DLQ. */
    async deadLetters(count: number) {
      const relay = createOutboxRelay({ db, ...aws, addresses, worker: 'test', clock, log: silentLog });
      relay.start();
      const letters = await receiveAll(aws.sqs, deadLetterUrl, count);
      await waitFor('all is sent', async () => {
        const left = await db.selectFrom('outbox').select('seq').where('state', '=', 'pending').execute();
        return left.length === 0;
      });
      await relay.stop();
      return letters;
    },
    outcomes: async () => {
      const rows = await db.selectFrom('settlements').selectAll().orderBy('mseq').execute();
      return rows.map(
        ({ event_id, outcome, reason }) => `${event_id} ${outcome}${reason === null ? '' : ` ${reason}`}`,
      );
    },
    /** Every place in which a text can be read. */
    async search(text: string, letters: readonly unknown[]): Promise<string[]> {
      await dedupe.flush();
      const tables = ['dedupe', 'claims'].map((name) => `${world.stack}-${name}`);
      return [
        ...(await searchPostgres(db, text)),
        ...(await searchRedis(redis, world.stack, text)),
        ...(await searchDynamo(aws.dynamodb, tables, text)),
        ...(await searchS3(aws.s3, [`${world.stack}-dead-letters`], text)),
        ...(JSON.stringify(letters).includes(text) ? ['DLQ'] : []),
      ];
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      Object.values(aws).forEach((client) => client.destroy());
      await world[Symbol.asyncDispose]();
    },
  };
}

test('what is about a person is readable by handlers alone, and by nobody once the person is erased', async () => {
  await using t = await setUp();
  const customerId = 'customer-77';
  await t.take([
    { n: 1, text: SECRET, customerId },
    { n: 2, text: SECRET, customerId },
    { n: 9, text: PLAIN },
  ]);
  await t.work();
  // A window that fails is rolled back and run again: what was read twice was applied once.
  assert.equal([...new Set(t.read)], [`1 ${SECRET}`, `9 ${PLAIN}`]);
  const letters = await t.deadLetters(1);
  assert.match(letters[0]?.Body ?? '', /"bodyIn":"inbox"/);
  // The search finds what is not protected; of the person there is nothing to find even now.
  assert.match(String(await t.search(PLAIN, letters)), /inbox_/);
  assert.equal(await t.search(SECRET, letters), []);
  assert.equal(await t.search(customerId, letters), []);

  await t.take([{ n: 3, text: SECRET, customerId }]);
  const keys = await eraseSubject(t.db, keyring, { merchantId: 'shop-1', subjectId: customerId }, clock.now());
  assert.is(keys.length, 1);
  // Emitted before the erasure, and late.
  await t.take([{ n: 4, text: SECRET, customerId, at: '2026-11-20T10:00:00.000Z' }]);
  // The person comes back.
  await t.take([{ n: 5, text: 'a new order', customerId, at: new Date(clock.now() + 1_000).toISOString() }]);
  await t.work();
  assert.equal(await t.outcomes(), [
    'e-1 done',
    'e-2 dead payload.invalid',
    'e-9 done',
    'e-3 skip erased',
    'e-4 skip erased',
    'e-5 done',
  ]);
  assert.equal(t.read.at(-1), '5 a new order');
  assert.equal(await t.search(SECRET, letters), []);
  const rows = await t.db.selectFrom('subject_keys').selectAll().orderBy('created_at').execute();
  assert.equal(
    rows.map(({ wrapped, destroyed_at }) => [wrapped === null, destroyed_at !== null]),
    [
      [true, true],
      [false, false],
    ],
  );
});

test.run();
