import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveAddresses } from '../core/clients/addresses.ts';
import { connectDynamoDB } from '../core/clients/dynamodb.ts';
import { connectS3 } from '../core/clients/s3.ts';
import { connectSNS } from '../core/clients/sns.ts';
import { connectSQS } from '../core/clients/sqs.ts';
import { registry } from '../core/events/registry.ts';
import { topologyOf } from '../core/events/topology.ts';
import { systemClock as clock } from '../core/runtime/clock.ts';
import { silentLog } from '../core/runtime/log.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { createWorld } from '../core/testing/world.ts';
import { provision } from '../ops/local/provision.ts';
import { createIntake } from './intake.ts';

const MERCHANTS = 12;
const EVENTS_EACH = 25;

const body = (merchantId: string, n: number) =>
  JSON.stringify({
    eventId: `e${n}`,
    eventType: 'ProductCoreDataUpdatedEvent',
    eventVersion: '1.0.0',
    timestamp: '2026-11-23T10:15:01Z',
    sourceService: 'CorePlatform',
    correlationId: `c${n}`,
    merchantId,
    payload: { productId: `sku-${n}`, operationType: 'update', timestamp: '2026-11-23T10:15:00Z' },
  });

test('two intakes on one queue accept everything once, in the order in which each merchant sent it', async () => {
  await using world = await createWorld();
  const aws = { sqs: connectSQS(), sns: connectSNS(), dynamodb: connectDynamoDB(), s3: connectS3() };
  const place = { region: 'eu-central-1', account: '000000000000' };
  await provision(aws, { registry, stack: world.stack, ...place });
  const topology = topologyOf(registry, world.stack);
  const addresses = await resolveAddresses(aws.sqs, topology, place);
  const { db } = world.postgres;
  const woken = new Set<string>();
  const intakes = [1, 2].map(() =>
    createIntake({
      config: {
        bucketSuffix: '',
        stack: world.stack,
        bodyHmacKey: 'a key for tests only',
        dedupeDays: 90,
        purgeDays: 30,
        receivesPerQueue: 2,
        pollWaitSeconds: 1,
        visibilitySeconds: 30,
        inFlightMessages: 2_000,
        inFlightBytes: 134_217_728,
      },
      topology,
      registry,
      addresses,
      db,
      ...aws,
      clock,
      log: silentLog,
      mayPoll: () => true,
      wake: (entries) => {
        for (const { merchantId } of entries) woken.add(merchantId);
        return Promise.resolve(entries.map((entry) => entry.merchantId));
      },
    }),
  );
  for (const intake of intakes) intake.start();

  const merchants = Array.from({ length: MERCHANTS }, (_, i) => `shop-${i}`);
  const QueueUrl = addresses.queueUrl('ProductSyncEventsQueue');
  for (const copy of [0, 1])
    for (let n = 1; n <= EVENTS_EACH; n++)
      for (const half of [merchants.slice(0, 6), merchants.slice(6)])
        await aws.sqs.send(
          new SendMessageBatchCommand({
            QueueUrl,
            Entries: half.map((merchant, i) => ({
              Id: String(i),
              MessageBody: body(merchant, n),
              MessageGroupId: merchant,
              MessageDeduplicationId: `${merchant}.${n}.${copy}`,
            })),
          }),
        );

  await waitFor('all events', async () => {
    const rows = await db.selectFrom('mailbox').select('next_mseq').execute();
    return rows.length === MERCHANTS && rows.every((row) => row.next_mseq === EVENTS_EACH + 1);
  });
  const report = intakes[0]?.report()['ProductSyncEventsQueue'];
  assert.is(report?.state, 'polling');
  assert.ok((report?.lastReceiveAgeMs ?? Infinity) < 10_000);
  await Promise.all(intakes.map((intake) => intake.stop()));

  const rows = await db.selectFrom('inbox').select(['merchant_id', 'mseq', 'event_id']).execute();
  assert.is(rows.length, MERCHANTS * EVENTS_EACH);
  assert.equal(
    rows.filter((row) => row.event_id !== `e${row.mseq}`),
    [],
  );
  assert.is(woken.size, MERCHANTS);
  assert.is(intakes[0]?.report()['ProductSyncEventsQueue']?.state, 'stopped');
  Object.values(aws).forEach((client) => client.destroy());
});

test.run();
