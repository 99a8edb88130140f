import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { connectSQS } from '../../core/clients/sqs.ts';
import { derivedAccountId } from '../../core/contexts/ad-networks/accounts.ts';
import { connectAdNetworks, sameCredentials } from '../../core/contexts/ad-networks/connect.ts';
import type { CampaignFields } from '../../core/contexts/ad-networks/network.ts';
import { type RawEnvelope, envelopeSchema } from '../../core/events/envelope.ts';
import type { Database } from '../../core/database/tables.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { createWorld } from '../../core/testing/world.ts';
import type { SentEvent } from '../load/load-event.ts';
import { type CheckReport, checkRun } from './check.ts';
import { drainDeadLetters } from './read-dead-letters.ts';
import { readDatabase, readWithin } from './read-database.ts';
import { readNetworkLog } from './read-network-log.ts';

/**
 * Real stores filled by hand with what a faultless pipeline would have left of ten events, so that a test can break one
 * thing and see what the checker makes of it.
 */
const at = (second: number): string => new Date(Date.parse('2026-11-23T10:00:00.000Z') + second * 1_000).toISOString();

const send = (eventId: string, eventType: string, second: number, merchantId: string, payload: object): SentEvent => {
  const event: RawEnvelope = envelopeSchema.parse({
    eventId,
    eventType,
    eventVersion: '1.0.0',
    timestamp: at(second),
    sourceService: 'test',
    correlationId: eventId,
    merchantId,
    payload: { timestamp: at(second), merchantId, ...payload },
  });
  const [channel, name] = {
    ProductCoreDataUpdatedEvent: ['queue', 'ProductSyncEventsQueue'] as const,
    CampaignStateChangeRequestedEvent: ['queue', 'CampaignEventsQueue'] as const,
    AdPerformanceDataIngestedEvent: ['topic', 'PerformanceDataTopic'] as const,
  }[eventType] ?? ['queue', ''];
  const body = JSON.stringify(event);
  return { merchantId, event, body, channel, name, deduplicationId: eventId, sentAtMs: Date.parse(at(second)) };
};

const product = (eventId: string, second: number, merchantId: string, payload: object) =>
  send(eventId, 'ProductCoreDataUpdatedEvent', second, merchantId, payload);
const command = (eventId: string, second: number, requestedState: string, adNetworkIds: string[]) =>
  send(eventId, 'CampaignStateChangeRequestedEvent', second, 'shop-1', {
    campaignId: 'c1',
    requestedState,
    adNetworkIds,
    campaignParametersForSync: { name: 'Sale', dailyBudgetMinor: 500, currency: 'EUR' },
  });
const figures = (impressions: number) => ({
  impressions,
  clicks: 10,
  conversions: 1.5,
  spendMicros: 7_000_000,
  currency: 'EUR',
});
const report = { adNetworkId: 'meta', reportDate: '2026-11-22', campaignId: 'c1' };

const first = product('p1', 1, 'shop-1', {
  productId: 'sku-1',
  operationType: 'create',
  changedAttributes: { title: 'Shoe', priceMinor: 100, currency: 'EUR', availability: 'in_stock', colour: 'red' },
});

/** `p1` twice: a repeat must change nothing. */
export const sent: readonly SentEvent[] = [
  first,
  { ...first, deduplicationId: 'p1.again', resendOf: 'p1' },
  product('p2', 2, 'shop-1', { productId: 'sku-1', operationType: 'UPDATE', changedAttributes: { priceMinor: 200 } }),
  product('p3', 3, 'shop-1', { productId: 'sku-2', operationType: 'create', changedAttributes: { title: 'Hat' } }),
  product('p4', 4, 'shop-1', { productId: 'sku-2', operationType: 'delete' }),
  product('p5', 5, 'shop-2', { productId: 'sku-1', operationType: 'create', changedAttributes: { title: 'Lamp' } }),
  command('c1', 6, 'active', ['meta', 'tiktok']),
  command('c2', 7, 'paused', ['meta']),
  send('a1', 'AdPerformanceDataIngestedEvent', 9, 'shop-1', { ...report, metricsPayload: figures(900) }),
  // Read before a1, sent after it.
  send('a2', 'AdPerformanceDataIngestedEvent', 8, 'shop-1', { ...report, metricsPayload: figures(800) }),
];

/** Order of settlement: a2 before a1, which nothing forbids. */
const accepted = [
  ['shop-1', ['p1', 'c1', 'p2', 'p3', 'a2', 'p4', 'c2', 'a1', 'e1']],
  ['shop-2', ['p5']],
] as const;
const handlersOf: Record<string, readonly string[]> = {
  p: ['handleProductCoreUpdate', 'handleProductDimensionUpdate'],
  c: ['synchronizeCampaignStateWithAdNetworks'],
  a: ['processIngestedPerformanceData'],
  e: ['processIngestedPerformanceData'],
};

export async function faultlessRun() {
  const world = await createWorld();
  const { db } = world.postgres;
  const sqs = connectSQS();
  const { QueueUrl: deadLetterUrl = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: `${world.stack}-dead.fifo`, Attributes: { FifoQueue: 'true' } }),
  );
  const account = derivedAccountId(world.stack);
  const networks = connectAdNetworks({
    baseUrl: world.networksUrl,
    credentials: sameCredentials('t'),
    clock: systemClock,
  });
  const adAccount = { accountId: account, currency: 'EUR', timeZone: 'UTC' };
  const network = (id: string) => {
    const found = networks.find((each) => each.id === id);
    if (found === undefined) throw new Error(`there is no network ${id}`);
    return found;
  };
  const signal = AbortSignal.timeout(60_000);
  const creation = { name: 'Sale (lw-c1)', dailyBudgetMinor: 500, state: 'active' } as const;
  const createAt = (id: string) =>
    network(id).createCampaign(adAccount, creation, randomUUID().replaceAll('-', ''), signal);

  let seq = 0;
  for (const [merchantId, eventIds] of accepted) {
    for (const [index, eventId] of eventIds.entries()) {
      const mseq = index + 1;
      await sql`insert into accepted values (${merchantId}, ${eventId}, '\\x00', ${mseq}, current_date, now())`.execute(
        db,
      );
      for (const handler of handlersOf[eventId.slice(0, 1)] ?? []) {
        seq += 1;
        await sql`insert into settlements (merchant_id, day, mseq, handler, event_id, outcome, settled_seq, settled_at, worker, owner)
          values (${merchantId}, current_date, ${mseq}, ${handler}, ${eventId}, 'done', ${seq},
            ${at(60)}::timestamptz, 'w', 'o')`.execute(db);
      }
    }
  }
  const emitted = send('e1', 'AdPerformanceDataIngestedEvent', 20, 'shop-1', {
    ...report,
    adNetworkId: 'tiktok',
    metricsPayload: figures(70),
  });
  await sql`insert into outbox (merchant_id, seq, stream, shard, event_id, event_type, destination, deduplication_id,
      attributes, body, created_at, state)
    values ('shop-1', 1, 'events', 0, 'e1', 'AdPerformanceDataIngestedEvent', 'topic:PerformanceDataTopic', 'e1', '{}',
      ${Buffer.from(emitted.body)}, ${at(20)}::timestamptz, 'sent')`.execute(db);
  await sql`insert into products (merchant_id, product_id, title, price_minor, currency, availability, attributes,
      source_at, deleted_at, revision, updated_at) values
    ('shop-1', 'sku-1', 'Shoe', 200, 'EUR', 'in_stock',
      '{"title":"Shoe","priceMinor":200,"currency":"EUR","availability":"in_stock","colour":"red"}', ${at(2)}, null, 2, now()),
    ('shop-1', 'sku-2', 'Hat', null, null, null, '{"title":"Hat"}', ${at(4)}, ${at(4)}, 2, now()),
    ('shop-2', 'sku-1', 'Lamp', null, null, null, '{"title":"Lamp"}', ${at(5)}, null, 1, now())`.execute(db);
  await sql`insert into product_dimensions (merchant_id, product_id, title, active, source_at, changes, updated_at) values
    ('shop-1', 'sku-1', 'Shoe', true, ${at(2)}, 2, now()),
    ('shop-1', 'sku-2', 'Hat', false, ${at(4)}, 2, now()),
    ('shop-2', 'sku-1', 'Lamp', true, ${at(5)}, 1, now())`.execute(db);
  await sql`insert into ad_performance (merchant_id, report_date, ad_network_id, campaign_id, impressions, clicks,
      conversions, spend_micros, currency, source_at, source_event_id, updated_at) values
    ('shop-1', '2026-11-22', 'meta', 'c1', 900, 10, 1.5, 7000000, 'EUR', ${at(9)}, 'a1', now()),
    ('shop-1', '2026-11-22', 'tiktok', 'c1', 70, 10, 1.5, 7000000, 'EUR', ${at(20)}, 'e1', now())`.execute(db);
  const [meta, tiktok] = [await createAt('meta'), await createAt('tiktok')];
  const changeAtNetwork = (fields: Partial<CampaignFields>) =>
    network('meta').changeCampaign(adAccount, meta, fields, signal);
  await changeAtNetwork({ state: 'paused' });
  await sql`insert into campaign_network_states (merchant_id, campaign_id, ad_network_id, desired_state,
      desired_event_id, desired, status, actual_state, external_id, desired_at, synced_at) values
    ('shop-1', 'c1', 'meta', 'paused', 'c2', '{}', 'live', 'paused', ${meta}, now(), now()),
    ('shop-1', 'c1', 'tiktok', 'active', 'c1', '{}', 'live', 'active', ${tiktok}, now(), now())`.execute(db);

  return {
    db,
    /** The networks know the merchant by this account. */
    createAt,
    changeAtNetwork,
    async deadLetter(body: string, handler: string, deduplicationId: string) {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: deadLetterUrl,
          MessageBody: body,
          MessageGroupId: 'shop-1',
          MessageDeduplicationId: deduplicationId,
          MessageAttributes: {
            handler: { DataType: 'String', StringValue: handler },
            errorCode: { DataType: 'String', StringValue: 'handler.failed' },
          },
        }),
      );
    },
    /** `trx`: what a transaction that is not committed would leave. */
    check: async (trx?: Kysely<Database>): Promise<CheckReport> => {
      const calls = (await readNetworkLog(world.networksUrl)).filter((call) => call.account === account);
      const deadLetters = await drainDeadLetters(sqs, { DeadLetters: deadLetterUrl });
      return checkRun(sent, {
        ...(await (trx === undefined ? readDatabase(db) : readWithin(trx))),
        deadLetters,
        askedAdObjects: [],
        calls,
        messages: [],
      });
    },
    async [Symbol.asyncDispose]() {
      sqs.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}
