import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from './tables.ts';

/**
 * A transaction that can see and write one merchant's rows only, whatever its queries say: row-level security reads the
 * setting, which ends with the transaction.
 */
export async function asMerchant<T>(
  db: Kysely<Database>,
  merchantId: string,
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  return await db.transaction().execute(async (trx) => {
    await sql`select set_config('laneway.merchant_id', ${merchantId}, true)`.execute(trx);
    return await work(trx);
  });
}
