import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type AttributionWindows, defaultWindows } from './choose-touch.ts';

/** The windows of each merchant; those that never chose have the usual ones. */
export async function readAttributionWindows(
  trx: Transaction<Database>,
  merchantIds: readonly string[],
): Promise<(merchantId: string) => AttributionWindows> {
  const { rows } = await sql<AttributionWindows & { merchantId: string }>`
    select merchant_id as "merchantId", click_days as "clickDays", view_days as "viewDays"
    from attribution_windows where merchant_id = any(${[...new Set(merchantIds)]}::text[])
  `.execute(trx);
  const chosen = new Map(
    rows.map(({ merchantId, clickDays, viewDays }) => [merchantId, { clickDays, viewDays }] as const),
  );
  return (merchantId) => chosen.get(merchantId) ?? defaultWindows;
}

/** For orders that come, or are restated, from now on: what was attributed stays as it was reported. */
export async function saveAttributionWindows(
  trx: Transaction<Database>,
  merchantId: string,
  { clickDays, viewDays }: AttributionWindows,
  nowMs: number,
): Promise<void> {
  const row = { click_days: clickDays, view_days: viewDays, updated_at: new Date(nowMs) };
  await trx
    .insertInto('attribution_windows')
    .values({ merchant_id: merchantId, ...row })
    .onConflict((conflict) => conflict.column('merchant_id').doUpdateSet(row))
    .execute();
}
