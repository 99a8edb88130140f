import { type Kysely, sql } from 'kysely';
import type { Database, EngineTables } from '../../core/database/tables.ts';
import type { ErrorRecord } from '../../core/runtime/errors.ts';

export interface OpenDelivery {
  merchantId: string;
  mseq: number;
  handler: string;
  eventId: string;
  eventType: string;
  state: EngineTables['deliveries']['state'];
  holds: EngineTables['deliveries']['holds'];
  holdKey: string | null;
  /** Attempts made so far. */
  attempt: number;
  notBefore: Date | null;
  firstError: ErrorRecord | null;
  lastError: ErrorRecord | null;
  createdAt: Date;
}

const columns = sql`
  d.merchant_id as "merchantId", d.mseq, d.handler, d.event_id as "eventId", d.event_type as "eventType", d.state,
  d.holds, d.hold_key as "holdKey", d.attempt, d.not_before as "notBefore", d.first_error as "firstError",
  d.last_error as "lastError", d.created_at as "createdAt"`;

const MERCHANTS_CONSIDERED = 200;
const PER_MERCHANT = 5;

/**
 * What waits for its next try, soonest first, and what is parked. Reached through the lanes that are due soonest, which
 * are indexed, so that a mass failure of many merchants does not make this a scan of all they wait for.
 */
export async function readOpenDeliveries(db: Kysely<Database>, limit: number): Promise<readonly OpenDelivery[]> {
  const { rows } = await sql<OpenDelivery>`
    with due as (
      select merchant_id from lanes where due_at is not null order by due_at limit ${MERCHANTS_CONSIDERED}
    ), open as (
      select first_few.* from due cross join lateral (
        select * from deliveries d where d.merchant_id = due.merchant_id and d.state <> 'parked'
        order by d.mseq, d.handler limit ${PER_MERCHANT}
      ) first_few
      union all
      (select * from deliveries where state = 'parked' limit ${limit})
    )
    select ${columns} from open d
    order by d.state = 'parked' desc, d.not_before nulls last, d.merchant_id, d.mseq, d.handler limit ${limit}
  `.execute(db);
  return rows;
}

export async function readDeliveriesOf(
  db: Kysely<Database>,
  merchantId: string,
  limit: number,
): Promise<readonly OpenDelivery[]> {
  const { rows } = await sql<OpenDelivery>`
    select ${columns} from deliveries d where d.merchant_id = ${merchantId} order by d.mseq, d.handler limit ${limit}
  `.execute(db);
  return rows;
}
