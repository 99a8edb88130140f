import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { HandlerContext } from '../../events/handler.ts';
import { type OpenBody, sealDeliveries } from './sealed.ts';
import type { DeliveryStatus } from './tables.ts';

export interface QueuedDelivery {
  endpointId: string;
  eventId: string;
  webhookType: string;
  body: string;
  person: OpenBody['person'];
  lane: string;
  status: Extract<DeliveryStatus, 'pending' | 'held'>;
}

/**
 * Adds what is not there yet, numbered per endpoint in the order given; what is there burns no number. Resolves with what
 * was added, as `endpoint event`.
 */
export async function addDeliveries(
  { trx, keyring, now }: Pick<HandlerContext, 'trx' | 'keyring' | 'now'>,
  merchantId: string,
  deliveries: readonly QueuedDelivery[],
): Promise<ReadonlySet<string>> {
  if (deliveries.length === 0) return new Set();
  const bodies = await sealDeliveries(
    trx,
    keyring,
    deliveries.map((delivery) => ({ merchantId, ...delivery })),
    now,
  );
  const column = <T>(pick: (delivery: QueuedDelivery) => T): T[] => deliveries.map(pick);
  const { rows } = await sql<{ endpointId: string; eventId: string }>`
    with wanted as (
      select * from unnest(
        ${column((d) => d.endpointId)}::text[], ${column((d) => d.eventId)}::text[],
        ${column((d) => d.webhookType)}::text[], ${bodies.map((b) => b.body)}::text[],
        ${bodies.map((b) => b.sealed)}::bytea[], ${bodies.map((b) => b.keyId)}::text[],
        ${column((d) => d.lane)}::text[], ${column((d) => d.status)}::text[]
      ) with ordinality as t (endpoint_id, event_id, webhook_type, body, sealed, key_id, lane, status, ord)
    ), new as (
      select distinct on (endpoint_id, event_id) * from wanted w
      where not exists (select from webhook_deliveries d where d.merchant_id = ${merchantId}
        and d.endpoint_id = w.endpoint_id and d.event_id = w.event_id)
      order by endpoint_id, event_id, ord
    ), counts as (
      select endpoint_id, count(*) as n from new group by endpoint_id
    ), heads as (
      update webhook_endpoints e set next_sequence = next_sequence + counts.n from counts
      where e.merchant_id = ${merchantId} and e.endpoint_id = counts.endpoint_id
      returning e.endpoint_id, e.next_sequence - counts.n as first
    )
    insert into webhook_deliveries (merchant_id, endpoint_id, sequence, event_id, webhook_type, body, sealed, key_id, lane,
      status, created_at)
    select ${merchantId}, new.endpoint_id, heads.first - 1 + row_number() over (partition by new.endpoint_id order by ord),
      event_id, webhook_type, body, sealed, key_id, lane, status, ${new Date(now)}::timestamptz
    from new join heads using (endpoint_id)
    returning endpoint_id as "endpointId", event_id as "eventId"
  `.execute(trx);
  return new Set(rows.map(({ endpointId, eventId }) => `${endpointId} ${eventId}`));
}

/**
 * Makes deliveries pending again, in sequence: one by its event, whatever became of it, or all that were missed since a
 * time.
 */
export async function reopenDeliveries(
  trx: Transaction<Database>,
  merchantId: string,
  endpointId: string,
  which: { since?: string | undefined; eventId?: string | undefined; after?: number | undefined },
  limit: number,
): Promise<{ sequence: number; eventId: string; lane: string }[]> {
  const chosen =
    which.eventId === undefined
      ? sql`status in ('failed', 'held') and created_at >= ${which.since ?? '-infinity'}::timestamptz
          and sequence > ${which.after ?? 0}`
      : sql`event_id = ${which.eventId} and status <> 'pending'`;
  const { rows } = await sql<{ sequence: number; eventId: string; lane: string }>`
    update webhook_deliveries set status = 'pending', error = null where merchant_id = ${merchantId}
      and endpoint_id = ${endpointId} and sequence in (
        select sequence from webhook_deliveries
        where merchant_id = ${merchantId} and endpoint_id = ${endpointId} and ${chosen}
        order by sequence limit ${limit})
    returning sequence, event_id as "eventId", lane
  `.execute(trx);
  return rows.toSorted((a, b) => a.sequence - b.sequence);
}
