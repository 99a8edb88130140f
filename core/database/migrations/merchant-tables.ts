import { type Kysely, sql } from 'kysely';

/**
 * Row-level security for tables of merchants: workers and readers see all rows, the gateway those of the merchant that its
 * transaction names. `write` lists what the gateway may also insert and update.
 */
export async function grantMerchantTables(
  db: Kysely<unknown>,
  { read, write }: { read: readonly string[]; write: readonly string[] },
): Promise<void> {
  for (const table of [...read, ...write]) {
    await sql`
      alter table ${sql.table(table)} enable row level security;
      alter table ${sql.table(table)} force row level security;
      create policy everything on ${sql.table(table)} to laneway_worker using (true) with check (true);
      create policy reading on ${sql.table(table)} for select to laneway_reader using (true);
      create policy own_merchant on ${sql.table(table)} to laneway_gateway
        using (merchant_id = current_setting('laneway.merchant_id', true))
        with check (merchant_id = current_setting('laneway.merchant_id', true));
      grant select on ${sql.table(table)} to laneway_gateway;
    `.execute(db);
  }
  for (const table of write) await sql`grant insert, update on ${sql.table(table)} to laneway_gateway`.execute(db);
}
