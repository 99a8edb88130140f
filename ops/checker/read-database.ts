import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../core/database/tables.ts';
import { type Evidence, keyOf } from './evidence.ts';

/** How a person of a run is reached. */
export interface Contact {
  readonly merchantId: string;
  readonly recipientId: string;
  readonly email: string;
  readonly phone: string;
}

type DatabaseEvidence = Omit<Evidence, 'deadLetters' | 'calls' | 'messages' | 'askedAdObjects'>;

/**
 * Reads everything the checker needs as one consistent picture. Any role that may read all rows will do: whose address is
 * whose is sealed there, and comes from who prepared the run.
 */
export const readDatabase = (db: Kysely<Database>, contacts: readonly Contact[] = []): Promise<DatabaseEvidence> =>
  db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute((trx) => readWithin(trx, contacts));

export async function readWithin(trx: Kysely<Database>, contacts: readonly Contact[] = []): Promise<DatabaseEvidence> {
  return {
    accepted: await trx
      .selectFrom('accepted')
      .select(['merchant_id as merchantId', 'event_id as eventId', 'mseq'])
      .execute(),
    settlements: (await trx.selectFrom('settlements').selectAll().orderBy('settled_seq').execute()).map((row) => ({
      merchantId: row.merchant_id,
      eventId: row.event_id,
      mseq: row.mseq,
      handler: row.handler,
      outcome: row.outcome,
      reason: row.reason,
      settledSeq: row.settled_seq,
      settledAtMs: row.settled_at.getTime(),
    })),
    ...(await readOutbox(trx)),
    openDeliveries: await trx
      .selectFrom('deliveries')
      .select(['merchant_id as merchantId', 'event_id as eventId', 'handler', 'state'])
      .execute(),
    intents: (
      await trx
        .selectFrom('intents')
        .select([
          'merchant_id as merchantId',
          'destination',
          'object_key as objectKey',
          'state',
          'event_id as eventId',
          'not_before',
        ])
        .execute()
    ).map(({ not_before, ...row }) => ({ ...row, notBeforeMs: not_before?.getTime() ?? null })),
    notified: await readNotified(trx, contacts),
    ...(await readContexts(trx)),
  };
}

async function readOutbox(trx: Kysely<Database>): Promise<Pick<Evidence, 'emitted' | 'unsent'>> {
  const rows = await trx
    .selectFrom('outbox')
    .select(['merchant_id', 'event_id', 'event_type', 'destination', 'stream', 'state', 'created_at', 'body'])
    .orderBy('merchant_id')
    .orderBy('seq')
    .execute();
  const envelope = z.looseObject({ payload: z.unknown() });
  return {
    emitted: rows
      .filter(({ stream }) => stream === 'events')
      .map((row) => ({
        merchantId: row.merchant_id,
        eventId: row.event_id,
        eventType: row.event_type,
        destination: row.destination,
        createdAtMs: row.created_at.getTime(),
        // Of events about people the body leaves with the message.
        payload: row.body.length === 0 ? undefined : envelope.parse(JSON.parse(row.body.toString('utf8'))).payload,
      })),
    unsent: rows
      .filter(({ state }) => state !== 'sent')
      .map((row) => ({ merchantId: row.merchant_id, eventId: row.event_id, state: row.state })),
  };
}

async function readNotified(trx: Kysely<Database>, contacts: readonly Contact[]): Promise<Evidence['notified']> {
  const { rows } = await sql<{ merchantId: string; recipientId: string; channel: 'email' | 'sms'; count: number }>`
    select merchant_id as "merchantId", recipient_id as "recipientId", channel, count(*) as count
    from notifications where channel in ('email', 'sms') group by 1, 2, 3
  `.execute(trx);
  const found = new Map(contacts.map((contact) => [keyOf(contact.merchantId, contact.recipientId), contact]));
  return rows.flatMap(({ merchantId, recipientId, channel, count }) => {
    const contact = found.get(keyOf(merchantId, recipientId));
    return contact === undefined ? [] : [{ channel, to: channel === 'email' ? contact.email : contact.phone, count }];
  });
}

async function readContexts(
  trx: Kysely<Database>,
): Promise<Pick<Evidence, 'products' | 'dimensions' | 'performance' | 'networkStates' | 'adObjectStates'>> {
  return {
    products: (await trx.selectFrom('products').selectAll().execute()).map((row) => ({
      merchantId: row.merchant_id,
      productId: row.product_id,
      title: row.title,
      priceMinor: row.price_minor,
      currency: row.currency,
      availability: row.availability,
      attributes: row.attributes,
      sourceAtMs: row.source_at.getTime(),
      deleted: row.deleted_at !== null,
      revision: row.revision,
    })),
    dimensions: await trx
      .selectFrom('product_dimensions')
      .select(['merchant_id as merchantId', 'product_id as productId', 'active', 'changes'])
      .execute(),
    performance: (await trx.selectFrom('ad_performance').selectAll().execute()).map((row) => ({
      merchantId: row.merchant_id,
      reportDate: row.report_date,
      adNetworkId: row.ad_network_id,
      campaignId: row.campaign_id,
      adSetId: row.ad_set_id,
      adId: row.ad_id,
      impressions: row.impressions,
      clicks: row.clicks,
      conversions: row.conversions,
      spendMicros: row.spend_micros,
      currency: row.currency,
      sourceAtMs: row.source_at.getTime(),
    })),
    networkStates: await trx
      .selectFrom('campaign_network_states')
      .select([
        'merchant_id as merchantId',
        'campaign_id as campaignId',
        'ad_network_id as adNetworkId',
        'desired_state as desiredState',
        'status',
        'actual_state as actualState',
        'external_id as externalId',
      ])
      .execute(),
    adObjectStates: await trx
      .selectFrom('ad_object_network_states')
      .select([
        'merchant_id as merchantId',
        'object_id as objectId',
        'ad_network_id as adNetworkId',
        'status',
        'actual_state as actualState',
        'external_id as externalId',
      ])
      .execute(),
  };
}
