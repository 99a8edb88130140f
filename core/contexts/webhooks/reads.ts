import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { DeliveryStatus, Ordering } from './tables.ts';

type Reader = Kysely<Database> | Transaction<Database>;

export interface Endpoint {
  endpointId: string;
  url: string;
  description: string;
  types: string[];
  ordering: Ordering;
  state: 'enabled' | 'disabled' | 'deleted';
  stateReason: string | null;
  failingSince: Date | null;
  createdAt: Date;
}

const endpointColumns = [
  'endpoint_id as endpointId',
  'url',
  'description',
  'types',
  'ordering',
  'state',
  'state_reason as stateReason',
  'failing_since as failingSince',
  'created_at as createdAt',
] as const;

/** The merchant's endpoints that were not deleted, by id. A merchant has at most some dozens. */
export async function readEndpoints(db: Reader, merchantId: string): Promise<Endpoint[]> {
  return await db
    .selectFrom('webhook_endpoints')
    .select(endpointColumns)
    .where('merchant_id', '=', merchantId)
    .where('state', '<>', 'deleted')
    .orderBy('endpoint_id')
    .execute();
}

export async function readEndpoint(db: Reader, merchantId: string, endpointId: string): Promise<Endpoint | undefined> {
  return await db
    .selectFrom('webhook_endpoints')
    .select(endpointColumns)
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .executeTakeFirst();
}

export interface LoggedDelivery {
  sequence: number;
  eventId: string;
  webhookType: string;
  status: DeliveryStatus;
  attempts: number;
  responseStatus: number | null;
  error: string | null;
  createdAt: Date;
  lastAttemptAt: Date | null;
  deliveredAt: Date | null;
}

/** The delivery log of an endpoint, newest first; `before` is the `next` of the page before. */
export async function listDeliveries(
  db: Reader,
  merchantId: string,
  endpointId: string,
  page: { before?: number; status?: DeliveryStatus; limit: number },
): Promise<{ items: LoggedDelivery[]; next: number | undefined }> {
  const { before, status } = page;
  const rows = await db
    .selectFrom('webhook_deliveries')
    .select([
      'sequence',
      'event_id as eventId',
      'webhook_type as webhookType',
      'status',
      'attempts',
      'response_status as responseStatus',
      'error',
      'created_at as createdAt',
      'last_attempt_at as lastAttemptAt',
      'delivered_at as deliveredAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .$if(before !== undefined, (query) => query.where('sequence', '<', before ?? 0))
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? 'pending'))
    .orderBy('sequence', 'desc')
    .limit(page.limit + 1)
    .execute();
  const items = rows.slice(0, page.limit);
  return { items, next: rows.length > page.limit ? items.at(-1)?.sequence : undefined };
}

export interface LoggedAttempt {
  attempt: number;
  at: Date;
  durationMs: number;
  responseStatus: number | null;
  response: string | null;
  error: string | null;
}

/** Every try of one delivery, the last 200 of them. */
export async function listAttempts(
  db: Reader,
  merchantId: string,
  endpointId: string,
  eventId: string,
): Promise<LoggedAttempt[]> {
  const { rows } = await sql<LoggedAttempt>`
    select attempt, at, duration_ms as "durationMs", response_status as "responseStatus", response, error
    from webhook_attempts a
    where merchant_id = ${merchantId} and endpoint_id = ${endpointId} and sequence = (
      select sequence from webhook_deliveries d
      where d.merchant_id = ${merchantId} and d.endpoint_id = ${endpointId} and d.event_id = ${eventId})
    order by at desc limit 200
  `.execute(db);
  return rows;
}
