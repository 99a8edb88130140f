import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { Draft } from './invoice.ts';
import { invoiceNumberOf, reckonPeriod } from './reads.ts';

/**
 * Writes a period's invoices as drafts, one a currency. Those that are drafts already are reckoned anew; what was finalised
 * stays as it is. Resolves with the numbers of the drafts, and whether each is new.
 */
export async function writeDrafts(
  trx: Transaction<Database>,
  cause: { merchantId: string; billingPeriod: string; eventId: string; issuedAt: Date },
  drafts: readonly Draft[],
  now: number,
): Promise<{ invoiceNumber: string; isNew: boolean }[]> {
  if (drafts.length === 0) return [];
  const column = <T>(pick: (draft: Draft) => T): T[] => drafts.map(pick);
  const { rows } = await sql<{ invoiceNumber: string; isNew: boolean }>`
    insert into invoices as i (merchant_id, billing_period, currency, invoice_number, status, lines, total_minor, event_id,
      issued_at, updated_at)
    select ${cause.merchantId}, ${cause.billingPeriod}, currency, number, 'draft', lines, total, ${cause.eventId},
      ${cause.issuedAt}::timestamptz, ${new Date(now)}::timestamptz
    from unnest(${column((d) => d.currency)}::text[],
      ${column((d) => invoiceNumberOf(cause.billingPeriod, d.currency))}::text[],
      ${column((d) => JSON.stringify(d.lines))}::jsonb[], ${column((d) => d.totalMinor)}::bigint[])
      as t (currency, number, lines, total)
    on conflict (merchant_id, billing_period, currency) do update set
      lines = excluded.lines, total_minor = excluded.total_minor, updated_at = excluded.updated_at
    where i.status = 'draft'
    -- A row that was there before has the transaction that took it over in xmax.
    returning invoice_number as "invoiceNumber", xmax = 0 as "isNew"
  `.execute(trx);
  return rows;
}

export interface Payable {
  invoiceNumber: string;
  currency: string;
  totalMinor: number;
  status: 'open' | 'paid' | 'uncollectible';
  paymentAttempts: number;
}

/**
 * Makes an invoice final: reckoned for the last time, from then on unchangeable. An invoice that is final already is given
 * as it is; undefined when there is none, or none is due any more.
 */
export async function finalizeInvoice(
  trx: Transaction<Database>,
  merchantId: string,
  invoiceNumber: string,
  now: number,
): Promise<Payable | undefined> {
  const row = await trx
    .selectFrom('invoices')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('invoice_number', '=', invoiceNumber)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const known = { invoiceNumber, currency: row.currency, paymentAttempts: row.payment_attempts };
  if (row.status !== 'draft') return { ...known, totalMinor: row.total_minor, status: row.status };
  const drafts = await reckonPeriod(trx, merchantId, row.billing_period);
  const draft = drafts.find(({ currency }) => currency === row.currency);
  const totalMinor = draft?.totalMinor ?? 0;
  const status = totalMinor === 0 ? 'paid' : 'open';
  const at = new Date(now);
  await trx
    .updateTable('invoices')
    .set({
      status,
      lines: JSON.stringify(draft?.lines ?? []),
      total_minor: totalMinor,
      finalized_at: at,
      paid_at: status === 'paid' ? at : null,
      updated_at: at,
    })
    .where('merchant_id', '=', merchantId)
    .where('invoice_number', '=', invoiceNumber)
    .execute();
  return { ...known, totalMinor, status };
}

export interface PaymentOutcome {
  invoiceNumber: string;
  attempt: number;
  providerId: string;
  amountMinor: number;
  currency: string;
  declineCode: string | null;
}

/**
 * Notes one payment attempt, once however often it is told of, and what it makes of the invoice. One that was declined may
 * have gone through after all, also when the invoice was given up. True if it was new.
 */
export async function recordPayment(
  trx: Transaction<Database>,
  merchantId: string,
  payment: PaymentOutcome,
  now: number,
): Promise<boolean> {
  const at = new Date(now);
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('invoice_payments')
    .values({
      merchant_id: merchantId,
      invoice_number: payment.invoiceNumber,
      attempt: payment.attempt,
      provider_id: payment.providerId,
      amount_minor: payment.amountMinor,
      currency: payment.currency,
      outcome: payment.declineCode === null ? 'succeeded' : 'declined',
      decline_code: payment.declineCode,
      at,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['merchant_id', 'invoice_number', 'attempt'])
        .doUpdateSet((row) => ({
          outcome: row.ref('excluded.outcome'),
          decline_code: row.ref('excluded.decline_code'),
          provider_id: row.ref('excluded.provider_id'),
          at: row.ref('excluded.at'),
        }))
        .where('invoice_payments.outcome', '=', 'declined')
        .where('excluded.outcome', '=', 'succeeded'),
    )
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) return false;
  await trx
    .updateTable('invoices')
    .set({
      payment_attempts: sql<number>`greatest(payment_attempts, ${payment.attempt})`,
      updated_at: at,
      ...(payment.declineCode === null ? { status: 'paid', paid_at: at } : {}),
    })
    .where('merchant_id', '=', merchantId)
    .where('invoice_number', '=', payment.invoiceNumber)
    .where('status', 'in', payment.declineCode === null ? ['open', 'uncollectible'] : ['open'])
    .execute();
  return true;
}

export async function markUncollectible(
  trx: Transaction<Database>,
  merchantId: string,
  invoiceNumber: string,
  now: number,
): Promise<void> {
  await trx
    .updateTable('invoices')
    .set({ status: 'uncollectible', updated_at: new Date(now) })
    .where('merchant_id', '=', merchantId)
    .where('invoice_number', '=', invoiceNumber)
    .where('status', '=', 'open')
    .execute();
}

/** The plan from a day on, until another one is chosen; null for none. */
export async function choosePlan(
  trx: Transaction<Database>,
  merchantId: string,
  choice: { planId: string | null; fromDay: string },
  nowMs: number,
): Promise<void> {
  await trx
    .insertInto('billing_subscriptions')
    .values({
      merchant_id: merchantId,
      from_day: choice.fromDay,
      plan_id: choice.planId,
      created_at: new Date(nowMs),
    })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'from_day']).doUpdateSet({ plan_id: choice.planId }))
    .execute();
}

export async function savePaymentMethod(
  trx: Transaction<Database>,
  merchantId: string,
  paymentMethod: string,
  nowMs: number,
): Promise<void> {
  const row = { payment_method: paymentMethod, updated_at: new Date(nowMs) };
  await trx
    .insertInto('billing_accounts')
    .values({ merchant_id: merchantId, ...row })
    .onConflict((conflict) => conflict.column('merchant_id').doUpdateSet(row))
    .execute();
}
