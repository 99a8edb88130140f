import { type Kysely, sql } from 'kysely';

/**
 * Forced row-level security for a table of merchants' rows: workers see all, readers read all, the gateway sees the rows of
 * the merchant it acts for and may do to them what is named here.
 */
export async function protectMerchantTable(
  db: Kysely<unknown>,
  table: string,
  gatewayMay: readonly ('select' | 'insert' | 'update' | 'delete')[],
): Promise<void> {
  const name = sql.table(table);
  await sql`
    alter table ${name} enable row level security;
    alter table ${name} force row level security;
    create policy everything on ${name} to laneway_worker using (true) with check (true);
    create policy reading on ${name} for select to laneway_reader using (true);
    create policy own_merchant on ${name} to laneway_gateway
      using (merchant_id = current_setting('laneway.merchant_id', true))
      with check (merchant_id = current_setting('laneway.merchant_id', true));
  `.execute(db);
  if (gatewayMay.length > 0)
    await sql`grant ${sql.raw(gatewayMay.join(', '))} on ${name} to laneway_gateway`.execute(db);
}
