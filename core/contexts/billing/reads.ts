import { type Kysely, type Transaction, sql } from 'kysely';
import { readPerformanceTotals } from '../analytics/reads.ts';
import type { Database } from '../../database/tables.ts';
import { type Draft, draftInvoices } from './invoice.ts';
import { type Subscription, daysOf, stretchesOf } from './periods.ts';
import type { InvoiceLine, InvoiceStatus } from './tables.ts';

type Reader = Kysely<Database> | Transaction<Database>;

/** The plan of merchants that never chose one. */
export const DEFAULT_PLAN = 'starter';

export async function readSubscriptions(db: Reader, merchantId: string): Promise<Subscription[]> {
  const rows = await sql<{
    fromDay: string;
    planId: string | null;
    currency: string;
    baseFeeMinor: number;
    includedClicks: number;
    clickThousandMinor: number;
    spendFeePpm: number;
  }>`
    with chosen as (
      select from_day, plan_id from billing_subscriptions where merchant_id = ${merchantId}
      union all
      select '2000-01-01', ${DEFAULT_PLAN}
      where not exists (select from billing_subscriptions where merchant_id = ${merchantId})
    )
    select from_day as "fromDay", plan_id as "planId", currency, base_fee_minor as "baseFeeMinor",
      included_clicks as "includedClicks", click_thousand_minor as "clickThousandMinor", spend_fee_ppm as "spendFeePpm"
    from chosen left join billing_plans using (plan_id) order by from_day
  `.execute(db);
  return rows.rows.map(({ fromDay, planId, ...prices }) => ({
    fromDay,
    plan: planId === null ? null : { planId, ...prices },
  }));
}

/** What a period costs by the figures that are there now. */
export async function reckonPeriod(
  trx: Transaction<Database>,
  merchantId: string,
  billingPeriod: string,
): Promise<Draft[]> {
  const { first, last, count } = daysOf(billingPeriod);
  const stretches = stretchesOf(await readSubscriptions(trx, merchantId), billingPeriod);
  return draftInvoices(stretches, count, await readPerformanceTotals(trx, merchantId, { from: first, to: last }));
}

export interface Invoice {
  billingPeriod: string;
  currency: string;
  invoiceNumber: string;
  status: InvoiceStatus;
  lines: InvoiceLine[];
  totalMinor: number;
  issuedAt: Date;
  finalizedAt: Date | null;
  paidAt: Date | null;
  paymentAttempts: number;
}

const columns = [
  'billing_period as billingPeriod',
  'currency',
  'invoice_number as invoiceNumber',
  'status',
  'lines',
  'total_minor as totalMinor',
  'issued_at as issuedAt',
  'finalized_at as finalizedAt',
  'paid_at as paidAt',
  'payment_attempts as paymentAttempts',
] as const;

/** A page of a merchant's invoices by number; `next` is the `after` of the following page, undefined on the last. */
export async function listInvoices(
  db: Reader,
  merchantId: string,
  { after = '', limit }: { after?: string; limit: number },
): Promise<{ items: Invoice[]; next: string | undefined }> {
  const rows = await db
    .selectFrom('invoices')
    .select(columns)
    .where('merchant_id', '=', merchantId)
    .where('invoice_number', '>', after)
    .orderBy('invoice_number')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? items.at(-1)?.invoiceNumber : undefined };
}

export async function readInvoice(db: Reader, merchantId: string, invoiceNumber: string): Promise<Invoice | undefined> {
  return await db
    .selectFrom('invoices')
    .select(columns)
    .where('merchant_id', '=', merchantId)
    .where('invoice_number', '=', invoiceNumber)
    .executeTakeFirst();
}

/** `EUR-2026-10`: unique for the merchant, known before it is written. */
export const invoiceNumberOf = (billingPeriod: string, currency: string): string => `${currency}-${billingPeriod}`;
